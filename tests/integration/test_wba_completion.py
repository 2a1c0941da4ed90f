# SPDX-License-Identifier: BSD-2-Clause
"""Completion of wba's command line, by a real bash and by a real zsh that sits
at a terminal."""

import os
import pathlib
import pty
import re
import shutil
import subprocess
import threading

import pytest

from harness.nginx import wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]
WBA = os.environ.get("WBA", str(ROOT / "build/gcc/wba"))
COMPLETION = ROOT / "src/packaging/completion"


def wba(*args, status=0):
    done = subprocess.run([WBA, *args], check=False, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == status
    return (done.stdout + done.stderr).decode()


COMMANDS = re.findall(r"^  (?!help)([a-z]+) +[a-z]",
                      wba("help").partition("Examples:")[0], re.M)


def options(command):
    text = wba(command, "--help").partition("Examples:")[0]
    return {"--color", "--help"} | set(re.findall(r"^  (--[a-z][a-z-]*)",
                                                  text, re.M))


class Bash:
    """Asks the function that bash calls, with words as bash splits them."""

    def __init__(self, folder):
        self.folder = folder

    def complete(self, line):
        """What could stand in the place of the line's last word."""
        words = [w for w in re.findall(r"=|[^\s=]+", line)]
        if line[-1:] in (" ", ""):
            words.append("")
        script = (". '%s'; COMP_WORDS=(%s); COMP_CWORD=%d; _wba; "
                  "printf '%%s\\n' \"${COMPREPLY[@]}\"") % (
            COMPLETION / "wba.bash",
            " ".join("'%s'" % w for w in words), len(words) - 1)
        return subprocess.run(
            ["bash", "-c", script], check=True, timeout=60, cwd=self.folder,
            env=environment(), stdout=subprocess.PIPE).stdout.decode().split()

    def close(self):
        pass


# Every candidate goes to a file, and so does the line that has come of it.
ZSHRC = r"""
PS1='> '
fpath=(%(completion)s $fpath)
autoload -Uz compinit && compinit -u -D
setopt NO_BEEP NO_LIST_BEEP
LISTMAX=100000
compadd() {
    local -a hits
    if [[ ${@[1,(i)(-|--)]} != *-(O|A|D)\ * ]]; then
        builtin compadd -A hits "$@"
        (( $#hits )) && print -rl -- $hits >> candidates
    fi
    builtin compadd "$@"
}
dump() { print -r -- $BUFFER > line.new; mv line.new line; }
zle -N dump
zle-line-init() { : > ready }
zle -N zle-line-init
bindkey '^X^P' dump
"""


def environment(**more):
    path = "%s:%s" % (pathlib.Path(WBA).resolve().parent, os.environ["PATH"])
    return {**os.environ, "PATH": path, "LC_ALL": "C.UTF-8", "TERM": "dumb",
            **more}


class Zsh:
    def __init__(self, folder):
        self.folder = folder
        (folder / ".zshrc").write_text(ZSHRC % {"completion": COMPLETION})
        self.near, far = pty.openpty()
        self.seen = b""
        self.process = subprocess.Popen(
            [shutil.which("zsh"), "-i"], cwd=folder, stdin=far, stdout=far,
            stderr=far, start_new_session=True,
            env=environment(ZDOTDIR=str(folder), HOME=str(folder)))
        os.close(far)
        self.thread = threading.Thread(target=self.read)
        self.thread.start()
        try:
            wait_for("zsh's prompt", (folder / "ready").exists)
        except AssertionError:
            self.process.kill()
            raise AssertionError(self.seen) from None

    def read(self):
        while True:
            try:
                some = os.read(self.near, 65536)
            except OSError:
                return
            if not some:
                return
            self.seen += some

    def press(self, line):
        """Types the line and TAB: (candidates, what the line is then)."""
        for name in ("candidates", "line"):
            (self.folder / name).unlink(missing_ok=True)
        os.write(self.near, b"\x15" + line.encode() + b"\t\x18\x10")
        wait_for("zsh to complete: %r" % self.seen[-500:],
                 (self.folder / "line").exists)
        found = self.folder / "candidates"
        return (found.read_text().split() if found.exists() else [],
                (self.folder / "line").read_text()[:-1])

    def complete(self, line):
        return self.press(line)[0]

    def close(self):
        os.write(self.near, b"\x15exit\r")
        self.process.wait(20)
        self.thread.join(20)
        os.close(self.near)


@pytest.fixture(scope="module", params=[Bash, Zsh])
def shell(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param.__name__)
    for name in ("agent.key", "keys.json"):
        (folder / name).touch()
    shell = request.param(folder)
    yield shell
    shell.close()


def test_commands(shell):
    assert set(shell.complete("wba ")) - {"--color", "--help", "--version"} \
        == {*COMMANDS, "help"}
    assert shell.complete("wba ver") == ["verify"]
    assert set(shell.complete("wba --")) == {"--color", "--help", "--version"}
    assert set(shell.complete("wba help ")) >= set(COMMANDS)
    assert shell.complete("wba help ke") == ["keygen"]


@pytest.mark.parametrize("command", COMMANDS)
def test_options(shell, command):
    assert set(shell.complete("wba %s --" % command)) == options(command)
    assert shell.complete("wba %s --col" % command) == ["--color"]


def named(*args):
    """The values that wba itself names when it gets a wrong one."""
    text = wba(*args, status=2)
    found = re.search(r"(?:there are|none of|neither) (.*)", text)[1]
    return set(re.split(r", | and | nor ", found))


@pytest.mark.parametrize("line, values", [
    ("verify --profile ", named("verify", "--profile", "x")),
    ("directory --profile ", named("verify", "--profile", "x")),
    ("verify --lenient ", named("verify", "--lenient", "x")),
    ("verify --scheme ", named("verify", "--scheme", "x")),
    ("verify --algorithm ", named("verify", "--algorithm", "x")),
    ("directory --algorithm ", named("verify", "--algorithm", "x")),
    ("keygen --alg ", named("keygen", "--alg", "x")),
    ("sign --alg ", named("keygen", "--alg", "x")),
    ("sign --format ", named("sign", "--format", "x")),
    ("curl --agent-form ", named("sign", "--agent-form", "x")),
    ("reasons --color ", named("reasons", "--color", "x")),
    ("sign --tag ", {"agent-browser-auth", "agent-payer-auth",
                     "agent-pay-auth", "web-bot-auth"}),
])
def test_values(shell, line, values):
    assert len(values) > 1
    assert set(shell.complete("wba " + line)) == values
    one = sorted(values)[-1]
    assert shell.complete("wba " + line + one) == [one]
    # also behind an equals sign
    assert set(shell.complete("wba " + line.rstrip() + "=")) == values
    assert shell.complete("wba " + line.rstrip() + "=" + one) == [one]


@pytest.mark.parametrize("line, name", [
    ("jwks ag", "agent.key"), ("sign --key ag", "agent.key"),
    ("curl --key=ag", "agent.key"), ("directory ke", "keys.json"),
    ("verify --request ke", "keys.json"),
    ("verify --directory shop=ke", "keys.json"),
    ("verify --directory=shop=ke", "keys.json"),
])
def test_files(shell, line, name):
    assert set(shell.complete("wba " + line)) == {name}


def test_zsh_writes_what_it_has_found(tmp_path):
    (tmp_path / "keys.json").touch()
    zsh = Zsh(tmp_path)
    for line, whole in [
            ("wba ver", "wba verify "),
            ("wba verify --prof", "wba verify --profile "),
            ("wba verify --profile web", "wba verify --profile web-bot-auth "),
            ("wba verify --directory shop=k",
             "wba verify --directory shop=keys.json ")]:
        assert zsh.press(line)[1] == whole
    zsh.close()
