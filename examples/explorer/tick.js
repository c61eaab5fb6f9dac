// Copies the cookie. Without JavaScript there is no button, and it can be selected.
const copier = document.getElementById("copier");
if (copier && navigator.clipboard) {
  copier.hidden = false;
  copier.addEventListener("click", async () => {
    const copied = document.getElementById("copied");
    try {
      await navigator.clipboard.writeText(document.getElementById("token").textContent);
      copied.textContent = "Copied.";
    } catch {
      copied.textContent = "The browser did not allow it.";
    }
  });
}

// Counts the time left down, which the server has written for those without JavaScript.
const left = document.getElementById("left");
if (left) {
  const end = performance.now() + Number(left.dataset.milliseconds);
  const two = (number) => String(number).padStart(2, "0");
  const tick = () => {
    const seconds = Math.max(0, Math.ceil((end - performance.now()) / 1000));
    const days = Math.floor(seconds / 86400);
    const clock = [seconds / 3600 % 24, seconds / 60 % 60, seconds % 60];
    const words = days === 0 ? "" : days === 1 ? "1 day " : `${days} days `;
    left.textContent = words + clock.map((part) => two(Math.floor(part))).join(":");
    if (seconds === 0) {
      left.textContent += " (reload the page)";
      clearInterval(timer);
      document.getElementById("verdict").replaceWith(
        document.getElementById("over").content.cloneNode(true),
      );
      document.getElementById("token").classList.add("refused");
    }
  };
  const timer = setInterval(tick, 1000);
}
