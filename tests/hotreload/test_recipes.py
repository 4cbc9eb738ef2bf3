"""The recipes of the guide, with the real packages."""

import http.cookiejar
import json
import socket
import time
import urllib.error
import urllib.request

import pytest
from test_command_line import TIMEOUT, start  # noqa: F401


@pytest.fixture
def port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Browser:
    """Keeps its cookies."""

    def __init__(self, port):
        self.base = f"http://127.0.0.1:{port}"
        self.opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))

    def get(self, path):
        return self.opener.open(self.base + path, timeout=TIMEOUT).read().decode()

    def wait(self, program, path="/"):
        deadline = time.monotonic() + TIMEOUT
        while True:
            try:
                return self.get(path)
            except (urllib.error.URLError, ConnectionError):
                assert time.monotonic() < deadline, program.errors
                time.sleep(0.1)


def test_flask(project, start, port):  # noqa: F811
    project.write("pages.py", "def greet(name, visits):\n    return f'hello {name} {visits}'\n")
    project.write("app.py", """
        import sys
        from flask import Flask, session
        from pages import greet
        app = Flask(__name__)
        app.secret_key = "secret"
        VISITORS = {}

        @app.route("/")
        def index():
            return "index"

        @app.route("/<name>")
        def page(name):
            session["visits"] = session.get("visits", 0) + 1
            VISITORS[name] = VISITORS.get(name, 0) + 1
            return greet(name, (session["visits"], VISITORS[name]))

        if __name__ == "__main__":
            app.run(port=int(sys.argv[1]))
        """)
    program = start("app.py", str(port))
    browser = Browser(port)
    browser.wait(program)
    assert browser.get("/ada") == "hello ada (1, 1)"
    project.edit("pages.py", ("hello", "welcome"))
    program.wait_for_report("changed greet")
    assert browser.get("/ada") == "welcome ada (2, 2)"
    project.edit("pages.py", ("visits)", "visits, mark='!')"), ("{visits}", "{visits}{mark}"))
    program.wait_for_report("changed greet")
    assert browser.get("/ada") == "welcome ada (3, 3)!"
    project.edit("app.py", ('return "index"', 'return "start"'))
    program.wait_for_report("changed index")
    assert browser.get("/") == "start"
    project.edit("app.py", ("def page(name):", "def page(name, more=' more'):"),
                 ("VISITORS[name]))", "VISITORS[name])) + more"))
    program.wait_for_report("changed page")
    assert browser.get("/ada") == "welcome ada (4, 4)! more"
    # Flask registers no routes once it has answered: a new one is found after a restart.
    project.edit("app.py", ("VISITORS = {}", 'VISITORS = {}\n@app.route("/a/b")\ndef new(): return "b"'))
    program.wait_for_report("added new")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        browser.get("/a/b")
    assert browser.get("/ada") == "welcome ada (5, 5)! more"


FASTAPI = """
    from fastapi import FastAPI, WebSocket
    from answers import answer
    app = FastAPI()
    seen = []

    @app.get("/")
    async def index():
        return {"seen": len(seen)}

    @app.websocket("/talk")
    async def talk(socket: WebSocket):
        await socket.accept()
        while True:
            text = await socket.receive_text()
            seen.append(text)
            await socket.send_text(answer(text))
    """


def test_fastapi_and_uvicorn(project, start, port):  # noqa: F811
    from websockets.sync.client import connect
    project.write("answers.py", "def answer(text):\n    return 'old ' + text\n")
    project.write("site_of_api.py", FASTAPI)
    program = start("-m", "uvicorn", "site_of_api:app", "--port", str(port), "--log-level", "warning")
    browser = Browser(port)
    browser.wait(program)
    with connect(f"ws://127.0.0.1:{port}/talk") as socket:
        def ask(text):
            socket.send(text)
            return socket.recv(timeout=TIMEOUT)
        assert ask("a") == "old a"
        project.edit("answers.py", ("old", "new"))
        program.wait_for_report("changed answer")
        assert ask("b") == "new b"
        project.edit("answers.py", ("(text)", "(text, mark='!')"), ("+ text", "+ text + mark"))
        program.wait_for_report("changed answer")
        assert ask("c") == "new c!"
        project.edit("site_of_api.py", ('"seen": len(seen)', '"seen": seen'))
        program.wait_for_report("changed index")
        assert json.loads(browser.get("/")) == {"seen": ["a", "b", "c"]}
        project.edit("site_of_api.py", ("seen = []", "seen = []\nVERSION = 2"),
                     ('"seen": seen', '"version": VERSION'))
        program.wait_for_report("changed index")
        assert json.loads(browser.get("/")) == {"version": 2}
        assert ask("d") == "new d!"
        project.edit("site_of_api.py", ("VERSION = 2", "VERSION = 3"), ('@app.websocket("/talk")', """
    @app.get("/new/{name}")
    async def new(name: str, mark: str = "?"):
        return name + mark

    @app.websocket("/talk")""".replace("\n    ", "\n")))
        program.wait_for_report("added new")
        assert json.loads(browser.get("/new/ada?mark=!")) == "ada!"
        assert ask("e") == "new e!"


def test_django(project, start, port):  # noqa: F811
    project.write("manage.py", """
        import os, sys
        from django.core.management import execute_from_command_line
        if __name__ == "__main__":
            os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
            execute_from_command_line(sys.argv)
        """)
    project.write("settings.py", """
        DEBUG = True
        SECRET_KEY = "secret"
        ROOT_URLCONF = "urls"
        ALLOWED_HOSTS = ["*"]
        MIDDLEWARE = ["django.contrib.sessions.middleware.SessionMiddleware"]
        INSTALLED_APPS = ["django.contrib.sessions"]
        SESSION_ENGINE = "django.contrib.sessions.backends.cache"
        """)
    project.write("urls.py", "from django.urls import path\nimport views\n"
                             "urlpatterns = [path('', views.index), path('p', views.Page.as_view())]\n")
    project.write("views.py", """
        from django.http import HttpResponse
        from django.views import View

        def index(request):
            request.session["n"] = request.session.get("n", 0) + 1
            return HttpResponse(f"old {request.session['n']}")

        class Page(View):
            title = "old"
            def get(self, request):
                return HttpResponse(f"{self.title} {request.session['n']}")
        """)
    program = start("manage.py", "runserver", "--noreload", "--skip-checks", f"127.0.0.1:{port}")
    browser = Browser(port)
    assert browser.wait(program) == "old 1"
    assert browser.get("/p") == "old 1"
    project.edit("views.py", ("f\"old", "f\"new"))
    program.wait_for_report("changed index")
    assert browser.get("/") == "new 2"
    project.edit("views.py", ('title = "old"', 'title = "new"'), ("def index(request):", "def index(request, x=1):"))
    program.wait_for_report("changed index, Page")
    assert browser.get("/p") == "new 2" and browser.get("/") == "new 3"
    project.edit("urls.py", ("views.index),", "views.index), path('q', views.index, name='q'),"))
    program.wait_for_report("changed urlpatterns")
    assert browser.get("/q") == "new 4"


def test_asyncio(project, start):  # noqa: F811
    project.write("work.py", "async def step(n):\n    return f'old {n}'\n")
    project.write("app.py", """
        import asyncio, sys
        import work

        class Counter:
            def __init__(self):
                self.n = 0
            async def answer(self):
                self.n += 1
                return await work.step(self.n)

        async def main():
            counter = Counter()
            loop = asyncio.get_running_loop()
            reader = asyncio.StreamReader()
            await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
            print("ready", flush=True)
            while await reader.readline():
                print(await counter.answer(), flush=True)

        asyncio.run(main())
        """)
    program = start("app.py")
    assert program.line() == "ready" and program.ask() == "old 1"
    project.edit("work.py", ("old", "new"))
    program.wait_for_report("changed step")
    assert program.ask() == "new 2"
    project.edit("work.py", ("(n)", "(n, mark='!')"), ("{n}", "{n}{mark}"))
    program.wait_for_report("changed step")
    assert program.ask() == "new 3!"
    project.edit("app.py", ("return await work", "return 'counted ' + await work"))
    program.wait_for_report("changed Counter.answer")
    assert program.ask() == "counted new 4!"
    assert program.end() == 0


def test_thread_pool(project, start):  # noqa: F811
    project.write("jobs.py", """
        import threading
        done = 0
        lock = threading.Lock()
        def job(n):
            global done
            with lock:
                done += 1
            return f"old {n}"
        """)
    project.write("app.py", """
        import concurrent.futures, sys
        import jobs
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            print("ready", flush=True)
            for line in sys.stdin:
                results = [f.result() for f in [pool.submit(jobs.job, n) for n in range(10)]]
                print(results[-1], jobs.done, flush=True)
        """)
    program = start("app.py")
    assert program.line() == "ready" and program.ask() == "old 9 10"
    project.edit("jobs.py", ("old", "new"))
    program.wait_for_report("changed job")
    assert program.ask() == "new 9 20"
    project.edit("jobs.py", ("job(n)", "job(n, mark='!')"), ("{n}", "{n}{mark}"))
    program.wait_for_report("changed job")
    assert program.ask() == "new 9! 30"
    assert program.end() == 0
