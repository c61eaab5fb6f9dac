// Shows that the session was ended as soon as it was, also by another process.
const watch = async () => {
  for (;;) {
    const response = await fetch("/watch").catch(() => null);
    const answer = response?.ok ? await response.text() : "";
    if (answer === "ended") {
      location.assign("/login?ended");
      return;
    }
    if (answer !== "there") await new Promise((resolve) => setTimeout(resolve, 5000));
  }
};
watch();
