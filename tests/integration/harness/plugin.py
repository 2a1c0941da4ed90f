# SPDX-License-Identifier: BSD-2-Clause
"""Options and fixtures, for the conftest.py of each folder of tests."""

import os
import pathlib
import tempfile

import pytest

from .directory import Directory
from .faults import Faults
from .names import Names
from .nginx import Nginx
from .shops import Shops
from .tls import Authority
from .upstream import Upstream

ROOT = pathlib.Path(__file__).resolve().parents[3]
MODULE = "build/gcc/ngx_http_web_bot_auth_module.so"


def pytest_addoption(parser):
    try:
        parser.addoption("--nginx", help="the nginx to run",
                         default=os.environ.get("NGINX_BINARY", "/usr/sbin/nginx"))
        parser.addoption("--module", help="the module to load; empty: built in",
                         default=os.environ.get("MODULE", MODULE))
    except ValueError:
        pass    # the neighbouring folder of tests did so already


def pytest_make_parametrize_id(val, argname):
    """Long values hold keys and times, functions an address, which differ
    from process to process: where tests are shared out among several, such
    values go by the argument's name."""
    if callable(val) or isinstance(val, (str, bytes)) and len(val) > 40:
        return argname
    return None


@pytest.fixture(scope="session")
def binaries(request):
    """(nginx, module), the module's path absolute; None: it is built in."""
    module = request.config.getoption("--module")
    return (request.config.getoption("--nginx"),
            (ROOT / module).resolve() if module else None)


def shim(binaries, name):
    """A library of shims/, built beside the module or in the folder SHIMS."""
    folder = os.environ.get("SHIMS") or binaries[1].parent / "tests"
    library = pathlib.Path(folder, name + ".so")
    assert library.exists(), "run make integration, or set SHIMS"
    return library


@pytest.fixture(scope="session")
def names_library(binaries):
    return shim(binaries, "names")


@pytest.fixture
def names(names_library):
    """For serve(..., names=names)."""
    table = Names(names_library)
    yield table
    table.close()


@pytest.fixture(scope="module")
def faults(binaries, names_library):
    """For serve(..., names=faults), one nginx at a time."""
    table = Faults(shim(binaries, "faults"), names_library, binaries[1])
    yield table
    table.close()


@pytest.fixture(scope="session")
def authority():
    """The certificate authority that the directories' certificates are of;
    in a folder that nginx's workers can read, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="wba-test-tls-") as folder:
        os.chmod(folder, 0o755)
        yield Authority(pathlib.Path(folder))


class Running:
    """The nginxes of one test file."""

    def __init__(self, binaries):
        self.binaries = binaries
        self.all = []

    def make(self, template, bare=False, **how):
        """An nginx, configured and not started; bare: without the module."""
        binary, module = self.binaries
        nginx = Nginx(binary, None if bare else module, template, **how)
        self.all.append(nginx)
        return nginx

    def __call__(self, template, **how):
        return self.make(template, **how).start()

    def check_logs(self):
        for nginx in self.all:
            nginx.check_log()

    def stop(self):
        failures = []
        for nginx in self.all:
            try:
                nginx.stop()
            except AssertionError as failure:
                failures.append(str(failure))
        assert not failures, failures


@pytest.fixture(scope="module")
def serve(binaries):
    """serve(template, ...) starts an nginx that lives as long as the file's
    tests; serve.make() only prepares it."""
    running = Running(binaries)
    yield running
    running.stop()


@pytest.fixture
def nginx_t(serve):
    """nginx_t(template, ...): (passed, output, the configuration's text) of
    nginx -t."""
    def run(template, env=None, **how):
        nginx = serve.make(template, **how)
        nginx.expect(r"\[emerg\]")
        serve.all.remove(nginx)
        try:
            text = (nginx.dir / "nginx.conf").read_text()
            return (*nginx.test(env), text)
        finally:
            nginx.stop()
    return run


@pytest.fixture(autouse=True)
def healthy(request):
    """Every test ends by looking for what no healthy nginx logs."""
    running = request.getfixturevalue("serve") \
        if "serve" in request.fixturenames else None
    yield
    if running:
        running.check_logs()


@pytest.fixture(scope="module")
def directory(authority):
    server = Directory(authority)
    yield server
    server.stop()


@pytest.fixture
def shop(serve, directory, authority):
    shops = Shops(serve, directory, authority)
    yield shops
    shops.stop()


@pytest.fixture(scope="module")
def upstream():
    server = Upstream()
    yield server
    server.stop()
