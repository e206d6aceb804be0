// Runs Python for one page, away from the page itself, which therefore never freezes. The page stops it by ending this
// worker. It gets {question}, JSON for minicnn.classroom.messages, and posts
//
//   {status}                what it is doing, in words
//   {text, isError}         what Python prints
//   {answer}                JSON
//   {missing}               why Python does not run, in words

const UPDATES = 100; // milliseconds between two posts of printed text: an endless loop may print without an end

const python = start();

onmessage = async ({ data }) => {
  try {
    const answerTo = await python;
    const answer = answerTo(data.question);
    printed.flush();
    postMessage({ answer });
  } catch (error) {
    postMessage({ missing: error.message });
  }
};

/** Text on its way to the page, in order. */
const printed = {
  text: "",
  isError: false,
  posted: 0,
  add(text, isError) {
    if (isError !== this.isError) this.flush();
    this.isError = isError;
    this.text += text;
    if (performance.now() - this.posted > UPDATES) this.flush();
  },
  flush() {
    if (this.text) postMessage({ text: this.text, isError: this.isError });
    this.text = "";
    this.posted = performance.now();
  },
};

/** Load Pyodide, NumPy and minicnn; the function that answers questions. */
async function start() {
  const site = new URL("./", import.meta.url);
  const settings = await (await get(new URL("settings.json", site))).json();
  const address = new URL(settings.pyodide, site);
  postMessage({ status: `Loading Python from ${address.host} …` });
  const plainFetch = self.fetch;
  // From here on nothing is loaded but files of Pyodide whose SHA-256 is known: Pyodide gives that of packages itself.
  self.fetch = (resource, options) => {
    const url = new URL(resource.url ?? resource, site);
    const integrity = settings.integrity[nameOf(url)] ?? options?.integrity;
    if (!integrity || url.href !== new URL(nameOf(url), address).href) {
      throw new Error(`${url} is not one of the files that this page may load.`);
    }
    return get(url, { integrity }, plainFetch);
  };
  const { loadPyodide } = await importFrom(new URL("pyodide.mjs", address));
  await importFrom(new URL("pyodide.asm.js", address)); // loadPyodide would load it unchecked
  const pyodide = await loadPyodide({ indexURL: address.href });
  const problems = [];
  await pyodide.loadPackage("numpy", { messageCallback() {}, errorCallback: (text) => problems.push(text) });
  if (problems.length) throw new Error(problems.join(" "));
  postMessage({ status: "Loading minicnn …" });
  const minicnn = await get(new URL(settings.minicnn, site), {}, plainFetch);
  pyodide.unpackArchive(await minicnn.arrayBuffer(), "zip");
  const decoders = [false, true].map(() => new TextDecoder());
  const writer = (isError) => ({
    write(bytes) {
      printed.add(decoders[Number(isError)].decode(bytes, { stream: true }), isError);
      return bytes.length;
    },
  });
  pyodide.setStdout(writer(false));
  pyodide.setStderr(writer(true));
  pyodide.setStdin({ stdin: () => null }); // input() raises EOFError
  return pyodide.runPython('from minicnn.classroom.messages import Page\nPage("/home/pyodide/page").answer');
}

/** The response for a file. Throws an error that says which file is missing, or not the expected one. */
async function get(url, options = {}, load = self.fetch) {
  let response;
  try {
    response = await load(url, options);
  } catch {
    const checked = options.integrity ? ", or its content is not the expected one (SHA-256)" : "";
    throw new Error(`${url} cannot be loaded${checked}.`);
  }
  if (!response.ok) throw new Error(`${url} cannot be loaded: ${response.status} ${response.statusText}.`);
  if (!url.pathname.endsWith(".wasm")) return response;
  return new Response(response.body, { headers: { "Content-Type": "application/wasm" } }); // not all servers know it
}

/** Import a module whose content has been checked. */
async function importFrom(url) {
  const text = await (await self.fetch(url)).text();
  const copy = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  return import(copy).finally(() => URL.revokeObjectURL(copy));
}

function nameOf(url) {
  return url.pathname.split("/").pop();
}
