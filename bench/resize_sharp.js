// sharp, kept running: the same requests and answers as bench/resize_worker.py, several widths as one call each.
const fs = require("fs");
const readline = require("readline");
const sharp = require("sharp");

sharp.cache(false);
sharp.concurrency(1);

const ENCODE = {
  jpg: (image) => image.jpeg({ quality: 80 }),
  webp: (image) => image.webp({ quality: 80 }),
};

async function answer({ photo, widths, format, save }) {
  const data = fs.readFileSync(photo);
  global.gc();
  const start = process.cpuUsage();
  const pictures = [];
  for (const width of widths) {
    pictures.push(await ENCODE[format](sharp(data).autoOrient().resize({ width })).toBuffer());
  }
  const used = process.cpuUsage(start);
  if (save) widths.forEach((width, at) => fs.writeFileSync(save.replace("{width}", width), pictures[at]));
  return { cpu_ms: (used.user + used.system) / 1000, bytes: pictures.reduce((sum, one) => sum + one.length, 0) };
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await answer(JSON.parse(line))));
  }
})();
