// A line follows the sound through the drawing, and a click there moves the sound. Without this the
// players play all the same.
(() => {
  for (const clip of document.querySelectorAll(".clip")) {
    const audio = clip.querySelector("audio");
    const stage = clip.querySelector(".stage");
    if (!audio || !stage) continue;
    const line = stage.querySelector(".playhead");
    const [left, width, length] = ["left", "width", "duration"].map((name) => Number(stage.dataset[name]));
    stage.classList.add("heard");
    const draw = () => {
      line.hidden = false;
      line.style.left = `${100 * (left + width * Math.min(audio.currentTime / length, 1))}%`;
      if (!audio.paused) requestAnimationFrame(draw);
    };
    for (const event of ["play", "seeking", "seeked", "timeupdate"]) audio.addEventListener(event, draw);
    audio.addEventListener("play", () => {
      for (const other of document.querySelectorAll("audio")) if (other !== audio) other.pause();
    });
    stage.addEventListener("click", (event) => {
      const box = stage.getBoundingClientRect();
      const part = ((event.clientX - box.left) / box.width - left) / width;
      if (part >= 0 && part <= 1) audio.currentTime = part * length;
    });
  }
})();
