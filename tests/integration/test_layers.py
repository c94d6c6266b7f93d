"""The shape of the tree: layers.py, and what every file has."""
import glob
import os
import re
import subprocess
import unittest

import harness
from layers import FOLDERS, LIBRARIES, LIBRARY_FILES

ROOT = harness.ROOT
HEADER_LINES = 120
FILE_LINES = 600
FUNCTION_LINES = 60

FORBIDDEN = re.compile(
    r"\b(strcpy|strcat|sprintf|vsprintf|gets|system|popen|atoi|atol|strtok"
    r"|tmpnam|mktemp)\s*\(")
# Their width is the machine's: common/base/clock.h has what to use instead.
TIMES = re.compile(
    r"\b(time_t|suseconds_t|struct timespec|_TIME_BITS"
    r"|(clock_gettime|gettimeofday|event_base_gettimeofday_cached|time|timegm"
    r"|mktime|gmtime(_r)?|localtime(_r)?|nanosleep|usleep|sleep)\s*\()")
NOISE = re.compile(
    r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)

# What clang-tidy has no check for, or only one for the opposite.
DIALECT = {
    "no cast of a call to void": re.compile(r"^\s+\(void\)[\w.>-]+\(", re.M),
    "no braces around one line": re.compile(
        r"\n(\t+)(?:if|while|for|\w*FOREACH\w*|json_\w+_foreach) ?\([^\n]*\)"
        r" \{\n\1\t[^\n]*;\n\1\}\n"),
}

# In pieces, so that this file is not its own first finding.
HOSTS = ["npm" + "js.org", "py" + "pi.org", "crates" + ".io",
         "deb.debian" + ".org", "proxy.golang" + ".org", "npm" + "mirror."]
PATHS = ["/wo" + "rk/", "/ho" + "me/", "/ro" + "ot/", "/Us" + "ers/"]
MARKERS = re.compile(r"^(<{7} |={7}$|>{7} |\|{7} )", re.M)


def files(*patterns):
    found = []
    for pattern in patterns:
        found += glob.glob(pattern, root_dir=ROOT, recursive=True)
    return sorted(found)


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def code(suffix="[ch]"):
    return [path for folder in FOLDERS
            for path in files(f"{folder}/*.{suffix}")]


def includes(path):
    return re.findall(r'^#include [<"]([^>"]+)[>"]', read(path), re.M)


def blank(match):
    """The same lines without their text."""
    return "\n" * match.group().count("\n")


def allowed(path, header):
    """May that file of ours include that header of ours?"""
    user, used = os.path.dirname(path), os.path.dirname(header)
    return used == user or used in FOLDERS[user].may_include


def allowed_library(path, header):
    folder, name = os.path.split(path)
    for (some, library), names in LIBRARY_FILES.items():
        if folder == some and re.match(library, header):
            return name in names.split()
    for library, folders in LIBRARIES.items():
        if re.match(library, header):
            return folder in folders.split()
    return True


def reachable(graph, start):
    """All that can be reached from there, by one step or more."""
    found, left = set(), [start]
    while left:
        for name in graph.get(left.pop(), ()):
            if name not in found:
                found.add(name)
                left.append(name)
    return found


def cycles(graph):
    return sorted(name for name in graph if name in reachable(graph, name))


def compiled_graph():
    """{folder: folders} by what the compiler opens, whole paths through."""
    made = subprocess.run(
        [*os.environ.get("CC", "cc").split(), "-MM", "-std=c11",
         "-D_GNU_SOURCE", "-I.", *code("c")],
        cwd=ROOT, capture_output=True, text=True, check=True).stdout
    graph = {folder: set() for folder in FOLDERS}
    for rule in made.replace("\\\n", " ").splitlines():
        source, *headers = rule.partition(":")[2].split()
        graph[os.path.dirname(source)] |= {
            os.path.dirname(header) for header in headers}
    return {folder: used - {folder} for folder, used in graph.items()}


def pictured_graph():
    """{folder: folders} as the README draws it."""
    block = re.search(r"^```folders\n(.*?)^```", read("README.md"),
                      re.M | re.S)
    return {name: set(used.split()) - {"nothing"} for name, used in re.findall(
        r"^(\S+) *-> (.*)$", re.sub(r"\n +", " ", block[1]), re.M)}


def direct_graph():
    graph = {folder: set() for folder in FOLDERS}
    for path in code():
        graph[os.path.dirname(path)] |= {
            os.path.dirname(header) for header in includes(path)
            if header.startswith(("common/", "daemon/", "ctl/"))}
    return {folder: used - {folder} for folder, used in graph.items()}


def shared_names(folder):
    """Global symbols of the objects of a folder."""
    objects = [os.path.join(harness.BUILD, path[:-2] + ".o")
               for path in files(f"{folder}/*.c")]
    listed = subprocess.run(
        ["nm", "-P", "--defined-only", "--extern-only",
         *filter(os.path.exists, objects)],
        capture_output=True, text=True, check=True).stdout
    # A sanitizer adds names of its own.
    return {line.split()[0] for line in listed.splitlines()
            if len(line.split()) > 2 and not line.startswith("__")}


def outlandish(text):
    """(rule, match) of each place that breaks a rule of DIALECT."""
    return [(what, match) for what, pattern in DIALECT.items()
            for match in pattern.finditer(text)]


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

    def test_every_file_is_in_a_folder_with_a_row(self):
        found = {os.path.dirname(path) for top in ("common", "daemon", "ctl")
                 for path in files(f"{top}/**/*.[ch]")}
        self.assertEqual(found, set(FOLDERS))

    def test_libraries(self):
        self.nothing(f"{path} includes {header}" for path in code()
                     for header in includes(path)
                     if not allowed_library(path, header))

    def test_headers_name_no_library(self):
        self.nothing(
            f"{path} includes {header}"
            for path in code("h") for header in includes(path)
            if any(re.match(library, header) for library in LIBRARIES))

    def test_folders_include_what_their_row_lists(self):
        self.nothing(
            f"{path} includes {header}"
            for path in code() for header in includes(path)
            if header.startswith(("common/", "daemon/", "ctl/"))
            and not allowed(path, header))

    def test_rows_list_what_is_included(self):
        self.assertEqual({name: row.may_include
                          for name, row in FOLDERS.items()}, direct_graph())

    def test_no_cycle(self):
        self.assertEqual(cycles(direct_graph()), [])
        self.assertEqual(cycles(compiled_graph()), [])

    def test_the_picture_is_the_graph(self):
        picture = pictured_graph()
        self.assertEqual(picture, direct_graph())
        for folder, used in compiled_graph().items():
            self.assertLessEqual(used, reachable(picture, folder), folder)

    def test_shared_names_have_the_prefix_of_their_folder(self):
        self.nothing(
            f"{folder}: {name}, not {row.prefix}..."
            for folder, row in FOLDERS.items()
            for name in sorted(shared_names(folder))
            if name != "main" and not name.startswith(row.prefix))

    def test_own_headers_are_named_from_the_top(self):
        self.nothing(
            f'{path} includes "{name}"' for path in code()
            for name in re.findall(r'^#include "([^"]+)"', read(path), re.M)
            if not name.startswith(("common/", "daemon/", "ctl/")))

    def test_headers_compile_alone(self):
        headers = code("h")
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
            for path in code("h"):
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

    def test_files_are_short(self):
        self.nothing(f"{path}: {count} lines, {FILE_LINES} at most"
                     for path in code()
                     if (count := read(path).count("\n")) > FILE_LINES)

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
            if path != "common/base/clock.c"
            for match in TIMES.finditer(NOISE.sub(blank, read(path))))

    def test_one_dialect(self):
        self.nothing(f"{path}: {what}: {match.group().strip()}"
                     for path in code() + files("tests/*/*.c")
                     for what, match in outlandish(read(path)))

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

    def test_includes(self):
        for path, header in (
                ("common/base/log.c", "common/wire/varlink.h"),
                ("ctl/main.c", "daemon/lifecycle/model.h"),
                ("daemon/http/main.c", "daemon/keeper/keeper.h"),
                ("daemon/http/main.c", "ctl/out/table.h"),
                ("daemon/lifecycle/plan.c", "daemon/store/store.h"),
                ("daemon/store/rows.c", "daemon/keeper/keeper.h"),
                ("daemon/keeper/keeper.c", "common/serve/server.h")):
            self.assertFalse(allowed(path, header), (path, header))
        for path, header in (
                ("common/base/log.c", "common/base/err.h"),
                ("daemon/keeper/keeper.c", "daemon/lifecycle/model.h"),
                ("daemon/main.c", "daemon/verbs/verbs.h")):
            self.assertTrue(allowed(path, header), (path, header))

    def test_library(self):
        self.assertFalse(allowed_library("daemon/keeper/x.c", "sqlite3.h"))
        self.assertFalse(allowed_library("daemon/store/x.c", "jansson.h"))
        self.assertTrue(allowed_library("daemon/store/x.c", "sqlite3.h"))
        self.assertTrue(allowed_library("common/base/x.c", "stdio.h"))
        self.assertTrue(allowed_library("daemon/verbs/rows_json.c",
                                        "jansson.h"))
        self.assertFalse(allowed_library("daemon/verbs/x.c", "jansson.h"))

    def test_a_cycle_is_found(self):
        self.assertEqual(cycles({"a": {"b"}, "b": {"c"}, "c": {"b"}}),
                         ["b", "c"])
        self.assertEqual(cycles({"a": {"b", "c"}, "b": {"c"}}), [])

    def test_dialect(self):
        for text in ("\n\t(void)close(fd);\n",
                     "\n\tif (a) {\n\t\tb();\n\t}\n"):
            self.assertEqual(len(outlandish(text)), 1, text)
        for text in ("\n\t(void)arg;\n", "\n\tif (a)\n\t\tb();\n",
                     "\n\tif (a) {\n\t\tb();\n\t} else {\n\t\tc();\n\t}\n"):
            self.assertEqual(outlandish(text), [], text)

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
