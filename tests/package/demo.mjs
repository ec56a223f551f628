// Opens the demo of a built package for the web as a phone shows it, and hands it the golden picture.

const { evaluate, serve } = await import(`${process.argv[2]}/test/run.mjs`);
const { server, origin } = await serve();
async function look() {
  const frame = document.createElement("iframe");
  Object.assign(frame, { width: 320, height: 640, src: location.href });
  frame.style.border = "0";
  document.body.append(frame);
  while (!frame.contentWindow?.ready) await new Promise((again) => setTimeout(again, 20));
  const page = frame.contentWindow;
  await page.look(await (await page.fetch("golden/golden.jpg")).blob());
  const { documentElement: root } = frame.contentDocument;
  const [error, timing] = ["error", "timing"].map((id) => frame.contentDocument.getElementById(id).textContent);
  return { error, timing, width: root.scrollWidth };
}
const expression = `(() => { if (!globalThis.ready) throw 0; return (${look})(); })()`;
const { value, errors } = await evaluate(`${origin}/build/demo.html`, expression);
server.close();
console.log(JSON.stringify({ ...value, console: errors }));
