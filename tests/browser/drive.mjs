// SPDX-License-Identifier: MPL-2.0
// Drives one browser for one test: takes a job as JSON in argv[2], prints one line of JSON.
// A job: { browser: "chromium"|"firefox", url, scenario, seconds?, screenshot?, … }
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import puppeteer from "puppeteer-core";
import * as scenarios from "./scenarios.mjs";

const CHROMIUM_ARGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--disable-extensions", "--metrics-recording-only",
  "--disable-domain-reliability", "--autoplay-policy=no-user-gesture-required",
  "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
  "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE localhost , EXCLUDE 127.0.0.1 , EXCLUDE *.local",
];

const FIREFOX_PREFS = {
  "media.autoplay.default": 0,
  "media.navigator.permission.disabled": true,
  "media.navigator.streams.fake": true,
  "media.navigator.audio.fake_frequency": 1000,
  // Without it an AudioContext stays suspended on a machine that has no sound card.
  "media.cubeb.force_mock_context": true,
  "app.update.enabled": false,
  "app.normandy.enabled": false,
  "datareporting.policy.dataSubmissionEnabled": false,
  "toolkit.telemetry.enabled": false,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
  "browser.safebrowsing.downloads.remote.enabled": false,
  "services.settings.server": "",
  "extensions.getAddons.cache.enabled": false,
};

function launchOptions(job, profile) {
  if (job.browser === "firefox") {
    return {
      browser: "firefox",
      executablePath: process.env.FIREFOX ?? "/usr/bin/firefox-esr",
      headless: true,
      userDataDir: profile,
      env: { ...process.env, HOME: profile, MOZ_DISABLE_CONTENT_SANDBOX: "1" },
      extraPrefsFirefox: {
        ...FIREFOX_PREFS,
        "media.peerconnection.ice.obfuscate_host_addresses": job.mdns === true,
      },
    };
  }
  const files = job.fake ? [`--use-file-for-fake-video-capture=${job.fake.video}`, `--use-file-for-fake-audio-capture=${job.fake.audio}`] : [];
  const hide = job.mdns === true ? [] : ["--disable-features=WebRtcHideLocalIpsWithMdns"];
  return {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    userDataDir: profile,
    args: [...CHROMIUM_ARGS, ...hide, ...files],
  };
}

async function main() {
  const job = JSON.parse(process.argv[2]);
  const scenario = scenarios[job.scenario];
  if (!scenario) throw new Error(`no scenario '${job.scenario}'`);
  const profile = mkdtempSync(join(tmpdir(), "rtc-browser-"));
  const browser = await puppeteer.launch(launchOptions(job, profile));
  const log = [];
  try {
    const page = await browser.newPage();
    page.on("console", (message) => log.push(message.text()));
    page.on("pageerror", (error) => log.push(`error: ${error.message}`));
    await page.evaluateOnNewDocument(scenarios.instrument);
    const result = await scenario(page, job);
    if (job.screenshot) await page.screenshot({ path: job.screenshot });
    console.log(JSON.stringify({ ok: true, ...result, log: log.slice(-50) }));
  } catch (error) {
    console.log(JSON.stringify({ ok: false, error: String(error.stack ?? error), log: log.slice(-50) }));
    process.exitCode = 1;
  } finally {
    await browser.close().catch(() => {});
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

await main();
