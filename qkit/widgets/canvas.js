// A sheet to draw on, by pointer or by keys. What it sends is a list of strokes, each a list of
// points [x, y]; Python makes the ink. No other file is loaded.

const STEP = 10; // one pixel of the image that the strokes become
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function render({ model, el }) {
  const size = model.get("size");
  const sheet = document.createElement("canvas");
  Object.assign(sheet, { width: size, height: size, tabIndex: 0 });
  sheet.className = "qkit-sheet";
  sheet.style.cssText =
    "background: white; border: 1px solid #767676; cursor: crosshair; touch-action: none;";
  sheet.setAttribute("role", "application");
  sheet.setAttribute(
    "aria-label",
    "Sheet to draw a digit on. Arrow keys move the pen, with Shift in larger steps; " +
      "Space puts it down or lifts it; Delete clears the sheet."
  );
  const button = document.createElement("button");
  button.textContent = "Clear";
  button.className = "jupyter-button widget-button";
  const help = document.createElement("small");
  help.textContent = "Draw here: mouse, finger, or arrows and space";
  const frame = document.createElement("div");
  frame.style.cssText = "display: flex; flex-direction: column; gap: 4px; width: min-content;";
  // in JupyterLab, arrow keys would leave the cell, and C would copy it
  frame.setAttribute("data-lm-suppress-shortcuts", "true");
  frame.append(help, sheet, button);
  el.append(frame);

  let strokes = model.get("strokes");
  let pointer = null; // the one that is drawing
  let pen = { x: size / 2, y: size / 2, down: false, shown: false }; // of the keys
  let waiting = false;

  function paint() {
    const ink = sheet.getContext("2d");
    ink.clearRect(0, 0, size, size);
    Object.assign(ink, { lineWidth: model.get("brush"), lineCap: "round", lineJoin: "round" });
    ink.strokeStyle = "black";
    for (const stroke of strokes) {
      ink.beginPath();
      ink.moveTo(stroke[0][0] + 0.01, stroke[0][1]); // a line of no length would not be drawn
      for (const point of stroke) ink.lineTo(...point);
      ink.stroke();
    }
    if (pen.shown) {
      ink.beginPath();
      ink.arc(pen.x, pen.y, model.get("brush") / 2, 0, 2 * Math.PI);
      Object.assign(ink, { lineWidth: pen.down ? 4 : 2, strokeStyle: "#D55E00" });
      ink.stroke();
    }
  }

  function changed() {
    paint();
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      model.set("strokes", strokes.map((stroke) => [...stroke])); // a new list, else unnoticed
      model.save_changes();
    });
  }

  function clear() {
    strokes = [];
    pen.down = false;
    changed();
  }

  function begin(point) {
    strokes = [...strokes, [point]];
    changed();
  }

  function add(point) {
    const stroke = strokes[strokes.length - 1];
    const [x, y] = stroke[stroke.length - 1];
    if (x === point[0] && y === point[1]) return;
    stroke.push(point);
    changed();
  }

  const inside = (value) => Math.min(Math.max(Math.round(value), 0), size);

  function place(event) {
    const box = sheet.getBoundingClientRect();
    return [
      inside(((event.clientX - box.left) * size) / box.width),
      inside(((event.clientY - box.top) * size) / box.height),
    ];
  }

  sheet.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || pointer !== null) return;
    pointer = event.pointerId;
    sheet.setPointerCapture(pointer);
    Object.assign(pen, { down: false, shown: false });
    begin(place(event));
  });
  sheet.addEventListener("pointermove", (event) => {
    if (event.pointerId !== pointer) return;
    const passed = event.getCoalescedEvents?.() ?? [];
    for (const one of passed.length ? passed : [event]) add(place(one));
  });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
    sheet.addEventListener(end, (event) => {
      if (event.pointerId === pointer) pointer = null;
    });
  }

  sheet.addEventListener("keydown", (event) => {
    if (event.key in KEYS) {
      const [x, y] = KEYS[event.key];
      const step = event.shiftKey ? 3 * STEP : STEP;
      Object.assign(pen, { x: inside(pen.x + x * step), y: inside(pen.y + y * step), shown: true });
      if (pen.down) add([pen.x, pen.y]);
      else paint();
    } else if (event.key === " ") {
      Object.assign(pen, { down: !pen.down, shown: true });
      if (pen.down) begin([pen.x, pen.y]);
      else paint();
    } else if (event.key === "Delete" || event.key === "Backspace") {
      clear();
    } else {
      return;
    }
    event.preventDefault(); // no scrolling
    event.stopPropagation();
  });
  sheet.addEventListener("blur", () => {
    Object.assign(pen, { down: false, shown: false });
    paint();
  });
  button.addEventListener("click", clear);

  function follow() {
    if (pointer !== null || pen.down || waiting) return; // the hand is ahead of the kernel
    strokes = model.get("strokes");
    paint();
  }
  model.on("change:strokes", follow);
  paint();
  return () => model.off("change:strokes", follow);
}

export default { render };
