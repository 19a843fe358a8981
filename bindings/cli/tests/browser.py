"""Headless Chromium by its DevTools protocol over pipes: enough of it to read pages,
click on them and take pictures."""

import base64
import json
import os
import shutil
import signal
import subprocess

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find():
    """The program, or None."""
    return os.environ.get("BNQ_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    def __init__(self, profile):
        commands, self._commands = os.pipe()
        self._messages, messages = os.pipe()

        def pipes():  # Chromium reads from 3 and writes to 4.
            taken = os.dup2(commands, 60), os.dup2(messages, 61)
            os.dup2(taken[0], 3), os.dup2(taken[1], 4)

        self._process = subprocess.Popen(
            [find(), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
             "--disable-dev-shm-usage", "--disable-background-networking",
             "--hide-scrollbars", f"--user-data-dir={profile}", "--remote-debugging-pipe"],
            preexec_fn=pipes, close_fds=False, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(commands)
        os.close(messages)
        self._rest, self._number, self.events = b"", 0, []

    def call(self, method, session=None, **parameters):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer)
                return answer["result"]
            self.events.append(answer)

    def _read(self):
        while b"\0" not in self._rest:
            part = os.read(self._messages, 1 << 20)
            assert part, "the browser has ended"
            self._rest += part
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def open(self, path, **options):
        return Tab(self, path, **options)

    def close(self):
        os.close(self._commands)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        os.close(self._messages)


class Tab:
    """A page that is shown. `requests` are the addresses that it asked for."""

    def __init__(self, browser, path, *, width=1200, height=1000, dark=False, scripts=True,
                 scale=1, fragment=""):
        self._browser = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = browser.call("Target.attachToTarget", targetId=target,
                                     flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=scale, mobile=False)
        self.media(dark=dark)
        if not scripts:
            self.call("Emulation.setScriptExecutionDisabled", value=True)
        self.call("Page.navigate", url=path.absolute().as_uri() + fragment)
        while not any(self._events("Page.loadEventFired")):
            self._browser.events.append(self._browser._read())

    def call(self, method, **parameters):
        return self._browser.call(method, self._session, **parameters)

    def _events(self, method):
        return [event["params"] for event in self._browser.events
                if event.get("method") == method and event.get("sessionId") == self._session]

    @property
    def requests(self):
        return [event["request"]["url"] for event in self._events("Network.requestWillBeSent")]

    @property
    def complaints(self):
        """What the console says: errors, and what the content policy has stopped."""
        return [*self._events("Log.entryAdded"), *self._events("Runtime.exceptionThrown"),
                *self._events("Runtime.consoleAPICalled")]

    def media(self, name="", dark=False):
        self.call("Emulation.setEmulatedMedia", media=name, features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def value(self, script):
        """What a JavaScript expression gives. (That of a debugger: no policy stops it.)"""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def picture(self, path=None, whole=True):
        """As PNG."""
        data = base64.b64decode(self.call("Page.captureScreenshot", format="png",
                                          captureBeyondViewport=whole)["data"])
        if path:
            path.write_bytes(data)
        return data

    def pdf(self, path=None):
        data = base64.b64decode(self.call("Page.printToPDF", preferCSSPageSize=True,
                                          printBackground=False)["data"])
        if path:
            path.write_bytes(data)
        return data
