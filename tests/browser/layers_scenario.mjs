// SPDX-License-Identifier: MPL-2.0
// A picture that changes its size: each width is printed as it is first shown, and the longest freeze measured.

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Watches until the picture was wide, then narrower, then wide again, and a little longer.
export async function layers(page, job) {
  await page.goto(job.url);
  await page.waitForFunction(() => [...document.querySelectorAll("video")].some((v) => v.videoWidth > 0), { timeout: 20000 });
  await page.evaluate(() => {
    const video = [...document.querySelectorAll("video")].find((v) => v.videoWidth > 0);
    const seen = (window.__seen = { freeze: 0, frames: 0, widths: [], gaps: [] });
    let last = performance.now();
    const shown = (now) => {
      seen.freeze = Math.max(seen.freeze, now - last);
      if (now - last > 200) seen.gaps.push([Math.round(now), Math.round(now - last), video.videoWidth]);
      last = now;
      seen.frames += 1;
      if (seen.widths.at(-1) !== video.videoWidth) {
        seen.widths.push(video.videoWidth);
        seen.gaps.push([Math.round(now), 0, video.videoWidth]);
      }
      video.requestVideoFrameCallback(shown);
    };
    video.requestVideoFrameCallback(shown);
  });
  let told = 0;
  const end = Date.now() + (job.seconds ?? 60) * 1000;
  let back = false;
  while (!back && Date.now() < end) {
    const { widths } = await page.evaluate(() => window.__seen);
    for (; told < widths.length; told += 1) console.log(`width ${widths[told]}`);
    back = widths.length > 2 && widths.at(-1) === Math.max(...widths);
    await pause(100);
  }
  await pause(2000);
  return { back, seen: await page.evaluate(() => window.__seen) };
}
