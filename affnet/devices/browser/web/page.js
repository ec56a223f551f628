// The measuring page: loads one model, then runs it as often as it is told.  affnet calls
// `affnet.answer` with the requests that affnet/devices/worker/serve.py answers on other devices.

const PACKAGES = new URL("packages/", location.href).href;

const TYPES = {
  float32: Float32Array,
  uint8: Uint8Array,
  int8: Int8Array,
  int32: Int32Array,
  int64: BigInt64Array,
  bool: Uint8Array,
  float16: globalThis.Float16Array ?? Uint16Array,
};

// How numpy names the types of what a runtime gives.
const NUMPY = new Map([
  [Float32Array, "<f4"], [Uint8Array, "|u1"], [Int8Array, "|i1"], [Int32Array, "<i4"],
  [BigInt64Array, "<i8"], [TYPES.float16, "<f2"],
]);

async function fetched(name) {
  const response = await fetch(name);
  if (!response.ok) throw new Error(`fetching the ${name} gave HTTP ${response.status}`);
  return response.arrayBuffer();
}

function gpuName(adapter) {
  const { vendor, architecture, description } = adapter.info;
  return [vendor, architecture, description].filter(Boolean).join(" ") || "unnamed";
}

// What is known before any model: each of it may differ between machines and browsers.
async function look() {
  const adapter = navigator.gpu ? await navigator.gpu.requestAdapter() : null;
  return {
    user_agent: navigator.userAgent,
    hardware_concurrency: navigator.hardwareConcurrency,
    cross_origin_isolated: crossOriginIsolated,
    gpu: adapter ? gpuName(adapter) : null,
  };
}

// Rejected once the browser loses a GPU that a runtime works on: runtimes then fail in words of their
// own, or wait for it without end.
let lose = null;
const lost = new Promise((_, reject) => {
  lose = reject;
});
const loss = lost.catch((error) => error); // nobody may wait for it, and that is no error
const LOSS_MS = 200; // between a runtime's error and the browser's word of its cause

if (globalThis.GPUAdapter) {
  const { requestDevice } = GPUAdapter.prototype;
  GPUAdapter.prototype.requestDevice = async function (...given) {
    const device = await requestDevice.apply(this, given);
    device.lost.then(({ reason }) => {
      if (reason !== "destroyed") lose(new Error("the browser lost its GPU while the model ran"));
    });
    return device;
  };
}

function later(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

// Each runtime is a function that fetches the model and returns {run, read}: `run` computes until
// the outputs are in the page's memory and returns what `read` makes arrays of.  `release` frees
// them, off the clock, and `free` the inputs.

async function onnxruntime({ threads, accelerator, inputs, verbose }) {
  const bundle = accelerator === "webgpu" ? "ort.webgpu.bundle.min.mjs" : "ort.wasm.bundle.min.mjs";
  const ort = await import(`${PACKAGES}onnxruntime-web/dist/${bundle}`);
  ort.env.wasm.wasmPaths = `${PACKAGES}onnxruntime-web/dist/`;
  ort.env.wasm.numThreads = threads;
  ort.env.logLevel = "error";
  return async function load() {
    const model = new Uint8Array(await fetched("model"));
    const session = await ort.InferenceSession.create(model, {
      executionProviders: [accelerator],
      logSeverityLevel: verbose ? 0 : 3,
    });
    return function feed(arrays) {
      const feeds = {};
      inputs.forEach(({ dtype, shape }, index) => {
        feeds[session.inputNames[index]] = new ort.Tensor(dtype, arrays[index], shape);
      });
      return {
        run: () => session.run(feeds),
        release: () => {},
        free: () => {},
        read: async (outputs) =>
          session.outputNames.map((name) => ({
            shape: [...outputs[name].dims],
            values: outputs[name].data,
            truth: outputs[name].type === "bool",
          })),
      };
    };
  };
}

let liteRt = null; // its WebAssembly, which a page loads once

async function litert({ threads, accelerator, inputs }) {
  const lite = await import(`${PACKAGES}@litertjs/core/dist/index.js`);
  return async function load() {
    const gpu = accelerator === "webgpu";
    const options = gpu ? { jspi: "Suspending" in WebAssembly } : { threads: threads > 1 };
    await (liteRt ??= lite.loadLiteRt(`${PACKAGES}@litertjs/core/wasm/`, options));
    const model = await lite.loadAndCompile(new Uint8Array(await fetched("model")), {
      accelerator,
      cpuOptions: { numThreads: threads },
      gpuOptions: { precision: "fp32" },
    });
    const feed = function (arrays) {
      const tensors = arrays.map((values, index) => new lite.Tensor(values, inputs[index].shape));
      return {
        run: gpu
          ? async () => Promise.all((await model.run(tensors)).map((one) => one.moveTo("wasm")))
          : () => model.run(tensors),
        release: (outputs) => outputs.forEach((output) => output.delete()),
        free: () => tensors.forEach((tensor) => tensor.delete()),
        read: async (outputs) =>
          outputs.map((output) => ({
            shape: [...output.type.layout.dimensions],
            values: output.toTypedArray().slice(),
          })),
      };
    };
    feed.accelerated = model.isFullyAccelerated;
    return feed;
  };
}

const RUNTIMES = { onnxruntime, litert };

let feed = null; // of a list of arrays, a network that is fed with it
let network = null;
let types = [];
let walk = null; // a picture's, once there is a pipeline

// Returns the duration of each run in ns.  The samples' memory is made before; the clock counts in
// steps of 5 microseconds in a page that is isolated from other origins.
async function timeRuns(iterations) {
  const samples = new Float64Array(iterations);
  for (let index = 0; index < iterations; index++) {
    const started = performance.now();
    const outputs = await network.run();
    samples[index] = performance.now() - started;
    network.release(outputs);
  }
  return Array.from(samples, nanoseconds);
}

function nanoseconds(milliseconds) {
  const found = Math.round(milliseconds * 1e6);
  if (found <= 0) throw new Error("a run takes less time than the browser's clock can tell");
  return found;
}

async function load(job) {
  for (const { dtype } of job.inputs) {
    if (!(dtype in TYPES)) throw new Error(`inputs of type ${dtype} are not supported`);
  }
  const start = await RUNTIMES[job.runtime](job);
  const started = performance.now();
  feed = await start();
  const loadNs = nanoseconds(performance.now() - started);
  const arrays = await Promise.all(
    job.inputs.map(async ({ dtype }, index) => new TYPES[dtype](await fetched(`input ${index}`))),
  );
  types = job.inputs.map(({ dtype }) => TYPES[dtype]);
  network = feed(arrays);
  const [firstNs] = await timeRuns(1);
  return { load_ns: loadNs, first_inference_ns: firstNs };
}

// What an app does with a picture, by the code of `affnet package --for web`; `infer` is its runtime.
async function pipeline({ code, task, picture }) {
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  const app = await import(url);
  const [Model, answer] = {
    classification: [app.Classifier, "classify"],
    segmentation: [app.Segmenter, "segment"],
    detection: [app.Detector, "detect"],
  }[task];
  const model = await Model.create({ base: new URL(".", location.href).href });
  const file = Uint8Array.from(atob(picture), (letter) => letter.charCodeAt(0));
  walk = async () => {
    const started = performance.now();
    const pixels = await app.decode(file);
    const decoded = performance.now() - started;
    await model[answer](pixels);
    const { pre, inference, post } = model.network.timing;
    return [decoded + pre, inference, post].map((time) => Math.round(time * 1e6));
  };
  await walk(); // so that a picture that cannot be used is an error now
  return { stages: true };
}

async function infer(tensor) {
  const fed = feed([tensor]);
  const outputs = await fed.run();
  const values = (await fed.read(outputs)).map((output) => output.values);
  fed.release(outputs);
  fed.free();
  return values;
}

async function timeWalks(iterations) {
  const stages = [[], [], []];
  for (let index = 0; index < iterations; index++) {
    (await walk()).forEach((time, stage) => stages[stage].push(time));
  }
  return stages;
}

async function run({ iterations, discard }) {
  if (walk) {
    await timeWalks(discard);
    const stages = await timeWalks(iterations);
    const whole = stages[0].map((_, index) => stages.reduce((sum, row) => sum + row[index], 0));
    return { samples_ns: whole, stages_ns: stages };
  }
  await timeRuns(discard);
  return { samples_ns: await timeRuns(iterations) };
}

async function outputs() {
  const computed = await network.run();
  const told = (await network.read(computed)).map(({ shape, values }) => ({
    shape,
    dtype: "<f4",
    data: base64(Float32Array.from(values, Number)),
  }));
  network.release(computed);
  return { outputs: told };
}

// Returns the outputs for other inputs, in the types that the runtime gives them in.
async function compute({ inputs }) {
  const arrays = inputs.map(({ data }, index) => new types[index](bytesOf(data).buffer));
  const fed = feed(arrays);
  const computed = await fed.run();
  const given = (await fed.read(computed)).map(({ shape, values, truth }) => ({
    shape,
    dtype: truth ? "|b1" : NUMPY.get(values.constructor),
    data: base64(values),
  }));
  fed.release(computed);
  return { outputs: given };
}

function bytesOf(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

function base64(values) {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  let text = "";
  for (let start = 0; start < bytes.length; start += 0x8000) {
    text += String.fromCharCode(...bytes.subarray(start, start + 0x8000));
  }
  return btoa(text);
}

// Loads the model, once more, so that the runtime logs which operators run where; affnet's driver
// reads it on the console.
async function placement(job) {
  const start = await RUNTIMES[job.runtime]({ ...job, verbose: true });
  const { accelerated } = await start();
  return { accelerated: accelerated ?? null };
}

const COMMANDS = { look, load, pipeline, placement, run, outputs, infer: compute };

globalThis.affnet = {
  infer,
  // Errors are answers too, so that their messages arrive as they are.
  answer: async (request) => {
    try {
      return await Promise.race([lost, COMMANDS[request.command](request)]);
    } catch (error) {
      const cause = (await Promise.race([loss, later(LOSS_MS)])) ?? error;
      return { failed: String(cause?.message ?? cause) };
    }
  },
};
