// Makes the code of a page live: it can be edited and run, and the gradient doctor checks it. Python runs in worker.js
// and is loaded when something is run for the first time.
//
// docs/classroom/hook.py marks the blocks: .live, with data-file for a file of minicnn (it replaces the file in this
// page's minicnn; the textbook's are checked), and with data-exercise for an exercise (it is graded).

const LONGEST = 200_000; // characters of output that are kept: a loop may print without an end
const INDENT = "    ";

const note = document.querySelector(".classroom-note");

/** The page's Python: one worker, started when it is needed. */
const python = {
  worker: null,
  waiting: null,
  /** The answer to a question; `show` gets the worker's other messages. Rejects if Python is stopped or missing. */
  ask(question, show) {
    if (!this.worker) {
      this.worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
      this.worker.onmessage = ({ data }) => this.receive(data);
      this.worker.onerror = (event) => this.receive({ missing: event.message || "The web worker cannot be started." });
    }
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject, show };
      this.worker.postMessage({ question: JSON.stringify(question) });
    });
  },
  receive(message) {
    if (message.missing) this.end(new Missing(message.missing));
    else if (message.answer) this.waiting.resolve(JSON.parse(message.answer));
    else this.waiting.show(message);
  },
  /** End the worker, whatever it is doing. What was defined is lost; the cells above run again before the next one. */
  end(reason) {
    this.worker?.terminate();
    this.worker = null;
    cells.forEach((cell) => (cell.ran = null));
    this.waiting?.reject(reason);
  },
};

class Missing extends Error {}
class Stopped extends Error {}

/** One block of code with its buttons and its output. */
class Cell {
  constructor(block, index) {
    this.block = block;
    this.file = block.dataset.file;
    this.exercise = block.dataset.exercise;
    this.kind = this.exercise ? "exercise" : !this.file ? "run" : this.file.includes("/textbook/") ? "check" : "replace";
    this.title = this.exercise ? "the exercise" : this.file ? this.file.split("/").pop() : `cell ${index + 1}`;
    this.original = block.querySelector("code").textContent;
    this.key = `minicnn ${location.pathname} ${this.exercise ?? this.file ?? index}`;
    this.ran = null; // the code that this session of Python has run
    this.build();
    const kept = recall(this.key);
    if (kept !== null || this.exercise) this.edit(kept ?? this.original);
  }

  build() {
    const verb = { run: "Run", replace: "Use", check: "Check", exercise: "Check" }[this.kind];
    this.run = button(verb, `${verb} ${this.title}`, () => runCell(this));
    this.change = button("Edit", `Edit ${this.title}`, () => this.edit(this.original).focus());
    this.reset = button("Reset", `Put back the original code of ${this.title}`, () => this.putBack());
    this.stop = button("Stop", `Stop ${this.title}`, () => python.end(new Stopped()));
    this.state = element("span", "classroom-state", { role: "status" });
    this.output = element("div", "classroom-output", { role: "log", "aria-label": `Output of ${this.title}` });
    const bar = element("div", "classroom-bar", { role: "group", "aria-label": capital(this.title) });
    bar.append(this.run, this.change, this.reset, this.stop, this.state);
    this.reset.hidden = this.stop.hidden = this.output.hidden = true;
    this.block.after(bar, this.output);
  }

  get code() {
    return this.editor?.value ?? this.original;
  }

  /** Whether this session has run the code as it is now. The textbook's own code needs no run. */
  get isDone() {
    return this.ran === this.code || (this.file && this.ran === null && this.code === this.original);
  }

  edit(code) {
    this.editor = editor(code, `Code of ${this.title}. Tab indents, Escape leaves the editor.`, this);
    this.block.hidden = this.change.hidden = true;
    this.reset.hidden = false;
    this.block.after(this.editor);
    fit(this.editor);
    return this.editor;
  }

  putBack() {
    forget(this.key);
    this.editor.remove();
    this.editor = null;
    this.block.hidden = this.change.hidden = false;
    this.reset.hidden = true;
    if (this.exercise) this.edit(this.original).focus();
    else this.change.focus();
  }

  clear() {
    this.output.replaceChildren();
    this.output.hidden = true;
    this.printed = 0;
  }

  show(...parts) {
    this.output.hidden = false;
    this.output.append(...parts);
  }

  print(text, isError) {
    if (this.printed > LONGEST) return;
    this.printed += text.length;
    let last = this.output.lastElementChild;
    const kind = isError ? "classroom-error" : "classroom-text";
    if (last?.className !== kind) this.show((last = element("pre", kind)));
    last.append(text);
    if (this.printed > LONGEST) this.remark("The rest of the output is not shown.");
  }

  remark(text) {
    this.show(paragraph(text, "classroom-remark"));
  }

  /** Ask Python about this cell, and show what it prints, draws and finds. */
  async ask(kind) {
    const { code } = this;
    const question = { kind, name: this.exercise ?? this.file ?? this.title, code };
    if (this.exercise) question.hints = document.querySelectorAll("details.hint[open]").length;
    this.clear();
    this.state.textContent = "Running …";
    try {
      const answer = await python.ask(question, ({ status, text, isError }) => {
        this.state.textContent = status ?? "Running …";
        if (text) this.print(text, isError);
      });
      this.ran = answer.replaced ?? answer.ok ? code : null;
      answer.pictures?.forEach((picture) => this.show(shown(picture)));
      if (answer.parts) this.show(...verdict(answer));
      return answer;
    } finally {
      this.state.textContent = "";
    }
  }
}

/** Run a cell, and before it those above that have not run. */
async function runCell(cell) {
  if (cell.run.ariaDisabled === "true") return;
  setBusy(true);
  cell.clear();
  cell.stop.hidden = false;
  try {
    const above = cell.exercise ? [] : cells.slice(0, cells.indexOf(cell)).filter((one) => !one.isDone);
    for (const one of above) {
      cell.state.textContent = `Running ${one.title} …`;
      const { ok } = await one.ask(one.file ? "replace" : "run");
      if (!ok) {
        cell.remark(`${capital(one.title)} failed, so this cell was not run.`);
        return;
      }
    }
    const { ok } = await cell.ask(cell.kind);
    const verdicts = { run: "", replace: ok ? "The cells below use this code." : "" };
    cell.state.textContent = verdicts[cell.kind] ?? (ok ? "Everything is right." : "Not right yet.");
  } catch (reason) {
    if (reason instanceof Stopped) cell.remark("Stopped. The next run starts Python again.");
    else if (reason instanceof Missing) {
      note.textContent = `Python does not run: ${reason.message} The page can be read without it.`;
      cell.remark(note.textContent);
    } else throw reason;
  } finally {
    cell.stop.hidden = true;
    setBusy(false);
  }
}

/** Whether cells can be run now. Not `disabled`, which would take the focus away from the reader's button. */
function setBusy(isBusy) {
  cells.forEach(({ run }) => (run.ariaDisabled = String(isBusy)));
}

/** What the check of an exercise found. */
function verdict(outcome) {
  const shown = [];
  if (outcome.message) shown.push(paragraph(outcome.message));
  const list = element("ul", "classroom-parts");
  for (const { name, ok, text } of outcome.parts) {
    const item = element("li", ok ? "right" : "wrong");
    const name_ = element("code");
    name_.textContent = name;
    item.append(name_, ` ${ok ? "right" : text.startsWith("not ") ? text : `wrong: ${text}`}`);
    list.append(item);
  }
  shown.push(list, ...outcome.remarks.map((text) => paragraph(text)));
  if (outcome.lines_printed) {
    const printed = element("pre", "classroom-text");
    const more = outcome.lines_printed - outcome.printed.length;
    printed.textContent = [...outcome.printed, ...(more ? [`… and ${more} lines more`] : [])].join("\n");
    shown.push(paragraph("Your code printed:"), printed);
  }
  if (outcome.ok) shown.push(paragraph(outcome.praise));
  return shown;
}

/** A file that a cell wrote: a picture, or a page such as the explorer's. */
function shown({ name, type, content }) {
  const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
  if (type !== "text/html") {
    const picture = element("img", "", { alt: name });
    picture.src = URL.createObjectURL(new Blob([bytes], { type }));
    return picture;
  }
  const frame = element("iframe", "classroom-frame", { title: name, sandbox: "allow-scripts" });
  frame.srcdoc = new TextDecoder().decode(bytes);
  const large = button("Full screen", `Show ${name} on the full screen`, () => frame.requestFullscreen());
  const figure = element("figure", "classroom-figure");
  figure.append(large, frame);
  return figure;
}

/** A text area for code: Tab and Shift+Tab indent, Enter keeps the indentation, Escape leaves, Ctrl+Enter runs. */
function editor(code, label, cell) {
  const area = element("textarea", "classroom-editor", { "aria-label": label, spellcheck: "false", wrap: "off" });
  area.autocapitalize = area.autocomplete = "off";
  area.value = code;
  area.addEventListener("input", () => {
    keep(cell.key, area.value);
    fit(area);
  });
  area.addEventListener("keydown", (event) => {
    const line = area.value.lastIndexOf("\n", area.selectionStart - 1) + 1;
    const indent = /^ */.exec(area.value.slice(line, area.selectionStart))[0];
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      cell.run.click();
    } else if (event.key === "Enter") {
      const opens = area.value.slice(line, area.selectionStart).trimEnd().endsWith(":");
      type(area, `\n${indent}${opens ? INDENT : ""}`);
    } else if (event.key === "Tab") {
      shift(area, line, event.shiftKey);
    } else if (event.key === "Escape") {
      cell.run.focus();
    } else {
      return;
    }
    event.preventDefault();
  });
  return area;
}

/** Indent at the cursor, or the selected lines; or take four spaces off them. */
function shift(area, start, back) {
  const end = area.selectionEnd;
  const lines = area.value.slice(start, end);
  if (!back && area.selectionStart === end) return type(area, INDENT);
  area.setSelectionRange(start, end);
  type(area, back ? lines.replace(/^ {1,4}/gm, "") : lines.replace(/^(?=.)/gm, INDENT));
  if (lines.includes("\n")) area.setSelectionRange(start, area.selectionEnd);
}

/** Replace the selection, so that it can be undone. */
function type(area, text) {
  area.focus();
  document.execCommand(text ? "insertText" : "delete", false, text);
}

function fit(area) {
  area.rows = Math.min(area.value.split("\n").length + 1, 40);
}

function button(text, label, action) {
  const made = element("button", "classroom-button", { type: "button", "aria-label": label });
  made.textContent = text;
  made.addEventListener("click", action);
  return made;
}

function paragraph(text, className = "") {
  const made = element("p", className);
  made.textContent = text;
  return made;
}

function element(tag, className = "", attributes = {}) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function capital(text) {
  return text[0].toUpperCase() + text.slice(1);
}

// The reader's code survives a reload, where the browser allows it.

function recall(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function keep(key, code) {
  try {
    localStorage.setItem(key, code);
  } catch {} // the page works without
}

function forget(key) {
  try {
    localStorage.removeItem(key);
  } catch {} // the page works without
}

const cells = [...document.querySelectorAll(".live")].map((block, index) => new Cell(block, index));
note.textContent = note.dataset.ready;
