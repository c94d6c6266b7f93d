"""The shape that design.md and style.md fix, held against the tree."""
import glob
import os
import re
import subprocess
import unittest

import harness

ROOT = harness.ROOT
HEADER_LINES = 150
FUNCTION_LINES = 60

# Which files may include which library, by the names of its headers.
LIBRARIES = {
    r"sqlite3\.h": r"daemon/store\w*\.c",
    r"openssl/": r"daemon/(keys|envelope)\.c",
    r"systemd/": r"common/notify\.c",
    r"ini\.h": r"common/config\w*\.c",
    r"libsmartcols": r"ctl/table\.c",
    r"event2/http\w*\.h|evhttp\.h": r"daemon/http/\w+\.c",
    r"event2/|event\.h": r"daemon/(http/)?\w+\.c",
    r"jansson\.h": r"(?!daemon/(lifecycle|store\w*)\.c)"
                   r"(common|daemon|daemon/http|ctl)/\w+\.c",
}

# Modules of the daemon from the bottom up: each may use those before it.
LEVELS = [
    {"model", "sql_text", "directory"},
    {"anchor"},
    {"lifecycle", "jwks", "servable", "store", "keys", "clock", "agenda", "worker",
     "octets", "room", "ballast"},
    {"reading"},
    {"orders", "plan", "retime", "envelope", "turns", "refusals"},
    {"signer", "wire", "claims", "rights", "difference", "outlook"},
    {"keeper", "sign_call"},
    {"control"},
    {"earlier", "process", "sockets", "strays"},
    {"publish", "front", "reload", "mistakes", "refused"},
    {"verbs", "degraded"},
    {"main"},
]
# What those that must stay small and pure may use besides themselves.
ONLY = {
    "model": set(),
    "octets": set(),
    "room": set(),
    "ballast": set(),
    "directory": set(),
    "anchor": {"directory"},
    "sign_call": {"claims"},
    "lifecycle": {"model"},
    "jwks": {"model"},
    "store": {"model", "sql_text", "directory"},
    "keys": {"model"},
    "envelope": {"model", "keys"},
    "reading": {"model", "lifecycle"},
    "orders": {"model", "lifecycle", "reading"},
    "plan": {"model", "lifecycle", "reading"},
    "retime": {"model", "lifecycle", "reading"},
    "strays": set(),
    "outlook": {"model", "lifecycle", "plan", "agenda"},
    "difference": {"model", "lifecycle", "plan", "jwks"},
    "refusals": {"model", "store"},
    "servable": set(),
    "agenda": set(),
    "turns": {"agenda"},
    "clock": set(),
    "worker": set(),
    "signer": {"keys", "worker"},
    "claims": set(),
    "rights": set(),
    "reload": {"model", "keys"},
}

FORBIDDEN = re.compile(
    r"\b(strcpy|strcat|sprintf|vsprintf|gets|system|popen|atoi|atol|strtok"
    r"|tmpnam|mktemp)\s*\(")
# Their width is the machine's: common/clock.[ch] says what to use instead.
TIMES = re.compile(
    r"\b(time_t|suseconds_t|struct timespec|_TIME_BITS"
    r"|(clock_gettime|gettimeofday|event_base_gettimeofday_cached|time|timegm"
    r"|mktime|gmtime(_r)?|localtime(_r)?|nanosleep|usleep|sleep)\s*\()")
NOISE = re.compile(
    r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)

# In pieces, so that this file is not its own first finding.
HOSTS = ["npm" + "js.org", "py" + "pi.org", "crates" + ".io",
         "deb.debian" + ".org", "proxy.golang" + ".org", "npm" + "mirror."]
PATHS = ["/wo" + "rk/", "/ho" + "me/", "/ro" + "ot/", "/Us" + "ers/"]
MARKERS = re.compile(r"^(<{7} |={7}$|>{7} |\|{7} )", re.M)


def files(*patterns):
    found = []
    for pattern in patterns:
        found += glob.glob(pattern, root_dir=ROOT)
    return sorted(found)


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def code():
    return files("common/*.[ch]", "daemon/*.[ch]", "daemon/http/*.[ch]",
                 "ctl/*.[ch]")


def includes(path):
    return re.findall(r'^#include [<"]([^>"]+)[>"]', read(path), re.M)


def blank(match):
    """The same lines without their text."""
    return "\n" * match.group().count("\n")


def module(path):
    """daemon/store_read.c is a part of store."""
    stem = os.path.splitext(os.path.basename(path))[0]
    known = set().union(*LEVELS)
    return stem if stem in known else stem.split("_")[0]


def level(name):
    return next((i for i, names in enumerate(LEVELS) if name in names), None)


def allowed_in_daemon(path, header):
    if header.startswith("common/"):
        return True
    if not re.fullmatch(r"daemon/\w+\.h", header):
        return False
    user, used = module(path), module(header)
    if user == used:
        return True
    if user in ONLY:
        return used in ONLY[user]
    return level(used) < level(user)


def allowed(path, header):
    """May that file of ours include that header of ours?"""
    if path.startswith("common/"):
        return header.startswith("common/")
    if path.startswith("ctl/"):
        return header.startswith(("common/", "ctl/"))
    if path.startswith("daemon/http/"):
        return header.startswith(("common/", "daemon/http/"))
    return allowed_in_daemon(path, header)


def functions(path):
    """(name, lines) of each function, by the braces in column 0."""
    name, start = "?", None
    lines = NOISE.sub(blank, read(path)).split("\n")
    for number, line in enumerate(lines):
        if re.match(r"[a-z_]\w*\(", line):
            name = line.partition("(")[0]
        elif line == "{":
            start = number
        elif line == "}" and start is not None:
            yield name, number - start - 1
            start = None


class Layers(unittest.TestCase):
    def nothing(self, findings):
        findings = list(findings)
        self.assertFalse(findings, "\n" + "\n".join(findings))

    def test_there_is_code(self):
        for directory in ("common", "daemon", "daemon/http", "ctl"):
            self.assertTrue(files(f"{directory}/*.c"), directory)

    def test_one_library_one_file(self):
        def findings():
            for path in code():
                for header in includes(path):
                    for library, where in LIBRARIES.items():
                        if re.match(library, header):
                            if not re.fullmatch(where, path):
                                yield f"{path} includes {header}"
                            break
        self.nothing(findings())

    def test_headers_name_no_library(self):
        self.nothing(
            f"{path} includes {header}"
            for path in files("common/*.h", "daemon/*.h", "daemon/http/*.h",
                              "ctl/*.h")
            for header in includes(path)
            if any(re.match(library, header) for library in LIBRARIES))

    def test_dependencies_point_one_way(self):
        self.nothing(
            f"{path} includes {header}"
            for path in code() for header in includes(path)
            if header.startswith(("common/", "daemon/", "ctl/"))
            and not allowed(path, header))

    def test_modules_of_the_daemon_have_a_level(self):
        self.nothing(f"{path}: not in LEVELS" for path in
                     files("daemon/*.[ch]") if level(module(path)) is None)

    def test_own_headers_are_named_from_the_top(self):
        self.nothing(
            f'{path} includes "{name}"' for path in code()
            for name in re.findall(r'^#include "([^"]+)"', read(path), re.M)
            if not name.startswith(("common/", "daemon/", "ctl/")))

    def test_headers_compile_alone(self):
        headers = files("common/*.h", "daemon/*.h", "daemon/http/*.h",
                        "ctl/*.h")
        result = subprocess.run(
            [os.environ.get("CC", "cc"), "-std=c11", "-D_GNU_SOURCE", "-I.",
             "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-x", "c",
             *headers], cwd=ROOT, capture_output=True, text=True)
        errors = [line for line in result.stderr.splitlines()
                  if "error:" in line and "pragma once" not in line]
        self.nothing(errors)
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_headers_are_short_and_guarded(self):
        def findings():
            for path in files("common/*.h", "daemon/*.h", "daemon/http/*.h",
                              "ctl/*.h"):
                text = read(path)
                count = text.count("\n")
                if count > HEADER_LINES:
                    yield f"{path}: {count} lines, {HEADER_LINES} at most"
                if not re.search(r"^#ifndef (JWKSD_\w+_H)\n#define \1$", text,
                                 re.M):
                    yield f"{path}: a guard JWKSD_..._H is wanted"
        self.nothing(findings())

    def test_functions_are_short(self):
        self.nothing(
            f"{path}: {name} has {lines} lines, {FUNCTION_LINES} at most"
            for path in code()
            for name, lines in functions(path) if lines > FUNCTION_LINES)

    def test_sources_open_with_what_they_are_for(self):
        self.nothing(f"{path}: no opening comment" for path in
                     code() + files("tests/*/*.c")
                     if not read(path).startswith("/*\n"))

    def test_no_dangerous_function(self):
        self.nothing(
            f"{path}: {match.group()}..." for path in code()
            for match in FORBIDDEN.finditer(NOISE.sub(blank, read(path))))

    def test_clocks_are_read_in_one_file(self):
        self.nothing(
            f"{path}: {match.group()}" for path in code()
            if path != "common/clock.c"
            for match in TIMES.finditer(NOISE.sub(blank, read(path))))

    def test_structs_are_not_typedefed(self):
        self.nothing(
            f"{path}: {match.group()}" for path in code()
            for match in re.finditer(r"^typedef struct.*", read(path), re.M))


class Tree(unittest.TestCase):
    """Every file of the project, whatever it is written in."""

    @classmethod
    def setUpClass(cls):
        cls.texts = {}
        for directory, names, found in os.walk(ROOT):
            names[:] = [n for n in names
                        if n not in (".git", "node_modules", "__pycache__")
                        and not n.startswith("build")]
            for name in found:
                path = os.path.relpath(os.path.join(directory, name), ROOT)
                try:
                    cls.texts[path] = read(path)
                except (UnicodeDecodeError, OSError):
                    continue

    def lines_with(self, words):
        return [f"{path}:{number}: {line.strip()[:80]}"
                for path, text in self.texts.items()
                for number, line in enumerate(text.split("\n"), 1)
                if any(word in line for word in words)]

    def test_no_registry_host(self):
        self.assertEqual(self.lines_with(HOSTS), [])

    def test_no_path_of_somebodys_machine(self):
        self.assertEqual(self.lines_with(PATHS), [])

    def test_no_merge_marker(self):
        marked = [p for p, text in self.texts.items() if MARKERS.search(text)]
        self.assertEqual(marked, [])

    def test_nothing_is_left_to_do(self):
        words = ["TO" + "DO", "FIX" + "ME", "XX" + "X:"]
        self.assertEqual(self.lines_with(words), [])


class OfTheCheckItself(unittest.TestCase):
    """A check that lets everything pass is no check."""

    def test_layers(self):
        for path, header in (("common/log.c", "daemon/keys.h"),
                             ("ctl/main.c", "daemon/model.h"),
                             ("daemon/http/main.c", "daemon/keeper.h"),
                             ("daemon/http/main.c", "ctl/table.h"),
                             ("daemon/lifecycle.c", "daemon/store.h"),
                             ("daemon/store_read.c", "daemon/keys.h"),
                             ("daemon/keeper.c", "daemon/control.h"),
                             ("daemon/keeper.c", "daemon/http/guard.h")):
            self.assertFalse(allowed(path, header), (path, header))
        for path, header in (("common/log.c", "common/log.h"),
                             ("daemon/lifecycle.c", "daemon/model.h"),
                             ("daemon/store_read.c", "daemon/store.h"),
                             ("daemon/envelope.c", "daemon/keys.h"),
                             ("daemon/verbs.c", "daemon/keeper.h"),
                             ("daemon/main.c", "daemon/verbs.h")):
            self.assertTrue(allowed(path, header), (path, header))

    def test_words_in_comments_and_strings_are_free(self):
        text = '/* gets( */ puts("system("); // atoi(\nsnprintf(b, n, s);\n'
        self.assertIsNone(FORBIDDEN.search(NOISE.sub(blank, text)))
        self.assertIsNotNone(FORBIDDEN.search("n = atoi (text);"))

    def test_times(self):
        for text in "(time_t)t", "x = time(NULL);", "nanosleep(&s, NULL)":
            self.assertIsNotNone(TIMES.search(text), text)
        for text in "jw_clock_wall_s()", "retime(a)", "the_time (b)":
            self.assertIsNone(TIMES.search(text), text)


if __name__ == "__main__":
    unittest.main()
