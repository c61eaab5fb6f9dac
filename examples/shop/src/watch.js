// Shows that the session was ended as soon as it was, also by another process.
let isLeaving = false;
addEventListener("submit", () => {
  // This page may end the session itself, and the answer to its form says so.
  isLeaving = true;
});
const watch = async () => {
  for (;;) {
    // Past the cache, in which one tab would wait for another one's answer.
    const response = await fetch("/watch", { cache: "no-store" }).catch(() => null);
    const answer = response?.ok ? await response.text() : "";
    if (isLeaving) return;
    if (answer === "ended") {
      location.assign("/login?ended");
      return;
    }
    if (answer !== "there") await new Promise((resolve) => setTimeout(resolve, 5000));
  }
};
watch();
