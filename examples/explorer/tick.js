// Counts the time left down, which the server has written for those without JavaScript.
const left = document.getElementById("left");
if (left) {
  const end = performance.now() + 1000 * left.dataset.seconds;
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
    }
  };
  const timer = setInterval(tick, 1000);
}
