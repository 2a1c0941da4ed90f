# SPDX-License-Identifier: BSD-2-Clause
"""Headless Chromium, spoken to by the DevTools protocol over a pipe."""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time


def find():
    return shutil.which("chromium") or shutil.which("chromium-browser")


class Browser:
    def __init__(self, binary):
        self.folder = tempfile.mkdtemp(prefix="wba-browser-")
        to_read, self.out = os.pipe()
        self.inp, to_write = os.pipe()

        def descriptors():      # Chromium's are 3 and 4
            a, b = os.dup(to_read), os.dup(to_write)
            os.dup2(a, 3)
            os.dup2(b, 4)

        self.process = subprocess.Popen(
            [binary, "--headless=new", "--no-sandbox", "--disable-gpu",
             "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
             "--force-color-profile=srgb", "--disable-background-networking",
             "--user-data-dir=" + self.folder, "--remote-debugging-pipe",
             "about:blank"],
            preexec_fn=descriptors, close_fds=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(to_write)
        self.buffer = b""
        self.ids = 0
        self.events = []

    def receive(self, deadline):
        while b"\0" not in self.buffer:
            left = deadline - time.monotonic()
            assert left > 0 and select.select([self.inp], [], [], left)[0], \
                "the browser does not answer"
            data = os.read(self.inp, 1 << 20)
            assert data, "the browser has ended"
            self.buffer += data
        text, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(text)

    def call(self, method, session=None, **params):
        self.ids += 1
        message = {"id": self.ids, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + 60
        while True:
            got = self.receive(deadline)
            if got.get("id") == self.ids:
                assert "error" not in got, (method, got["error"])
                return got["result"]
            self.events.append(got)

    def page(self, url, width=1280, height=900, dark=False):
        return Page(self, url, width, height, dark)

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.inp)
        os.close(self.out)
        shutil.rmtree(self.folder, ignore_errors=True)


class Page:
    def __init__(self, browser, url, width, height, dark):
        self.browser = browser
        target = browser.call("Target.createTarget", url="about:blank")
        self.target = target["targetId"]
        self.session = browser.call("Target.attachToTarget", flatten=True,
                                    targetId=self.target)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network",
                       "Accessibility"):
            self.call(domain + ".enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width,
                  height=height, deviceScaleFactor=1, mobile=width < 600)
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme",
             "value": "dark" if dark else "light"}])
        self.call("Page.navigate", url=url)

    def call(self, method, **params):
        return self.browser.call(method, self.session, **params)

    def run(self, script):
        """What the script's expression comes to."""
        got = self.call("Runtime.evaluate", expression=script,
                        returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in got, got
        return got["result"].get("value")

    def wait(self, script, seconds=30):
        deadline = time.monotonic() + seconds
        while not self.run("!!(%s)" % script):
            assert time.monotonic() < deadline, \
                (script, self.run("document.body.innerText"))
            time.sleep(0.05)

    def text(self, selector="body"):
        return self.run("document.querySelector(%s).innerText"
                        % json.dumps(selector))

    def key(self, name):
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowLeft": 37,
                 "ArrowRight": 39, "Home": 36, "End": 35, " ": 32}
        more = {"text": "\r"} if name == "Enter" else \
            {"text": " "} if name == " " else {}
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=name,
                      code="Space" if name == " " else name,
                      windowsVirtualKeyCode=codes[name],
                      **(more if kind == "keyDown" else {}))

    def mine(self, method):
        """The events of that name so far."""
        self.run("0")
        return [e["params"] for e in self.browser.events
                if e.get("method") == method
                and e.get("sessionId") == self.session]

    def troubles(self):
        """Uncaught errors, and what the console and the browser complain of."""
        return [e["exceptionDetails"]["text"] + str(
                    e["exceptionDetails"].get("exception", {})
                    .get("description"))
                for e in self.mine("Runtime.exceptionThrown")] \
            + [e["entry"]["text"] for e in self.mine("Log.entryAdded")]

    def requested(self):
        return [e["request"]["url"]
                for e in self.mine("Network.requestWillBeSent")]

    def picture(self, name):
        """A picture of the whole page, into the folder SCREENSHOTS, if that is
        set; its bytes."""
        got = self.call("Page.captureScreenshot", format="png",
                        captureBeyondViewport=True)
        data = base64.b64decode(got["data"])
        folder = os.environ.get("SCREENSHOTS")
        if folder:
            os.makedirs(folder, exist_ok=True)
            with open(os.path.join(folder, name + ".png"), "wb") as file:
                file.write(data)
        return data

    def close(self):
        self.browser.call("Target.closeTarget", targetId=self.target)
