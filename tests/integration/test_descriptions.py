"""The build's reader of interface descriptions: what it refuses, and why."""
import os
import subprocess
import tempfile
import unittest

import harness

SCRIPT = os.path.join(harness.ROOT, "common/varlink.awk")

# What stands under "interface a.b", and what is said of it.
REFUSED = [
    ("foo", "2: expected 'type', 'method' or 'error', found 'foo'"),
    (";", "2: expected 'type', 'method' or 'error', found ';'"),
    ("interface a.c",
     "2: expected 'type', 'method' or 'error', found 'interface'"),
    ("# \303\274", "2: a character that is not printable ASCII"),
    ("\n\tmethod A() -> ()", "3: a character that is not printable ASCII"),
    ("method A() -> ()\r", "2: a character that is not printable ASCII"),
    ("method", "2: expected a name like 'Name', found the end"),
    ("method a() -> ()", "2: expected a name like 'Name', found 'a'"),
    ("methodA() -> ()",
     "2: expected 'type', 'method' or 'error', found 'methodA'"),
    ("method A_B() -> ()", "2: expected a name like 'Name', found 'A_B'"),
    ("method A", "2: expected '(', found the end"),
    ("method A(\n", "2: expected a field's name, found the end"),
    ("method A()", "2: expected '->', found the end"),
    ("method A() - > ()", "2: expected '->', found '-'"),
    ("method A() ->", "2: expected '(', found the end"),
    ("method A() -> int", "2: expected '(', found 'int'"),
    ("method A(x) -> ()", "2: expected ':', found ')'"),
    ("method A() -> (\nx, y)", "3: expected ':', found ','"),
    ("error A", "2: expected '(', found the end"),
    ("error A (x)", "2: expected ':', found ')'"),
    ("type A int", "2: expected '(', found 'int'"),
    ("type A (x: int,\n)", "3: expected a field's name, found ')'"),
    ("type A (x: int y: int)", "2: expected ')', found 'y'"),
    ("type A (x int)", "2: expected ':', found 'int'"),
    ("type A (x:)", "2: expected a type, found ')'"),
    ("type A (x: integer)", "2: expected a type, found 'integer'"),
    ("type A (1x: int)", "2: expected a field's name, found '1x'"),
    ("type A (x__y: int)", "2: expected a field's name, found 'x__y'"),
    ("type A (x_: int)", "2: expected a field's name, found 'x_'"),
    ("type A (x: int,\n x: bool)", "3: 'x' is declared a second time"),
    ("type A (x: int)\ntype A ()", "3: 'A' is declared a second time"),
    ("method A() -> ()\nmethod A() -> ()",
     "3: 'A' is declared a second time"),
    ("error A ()\nerror A ()", "3: 'A' is declared a second time"),
    ("error A ()\nmethod A() -> ()", "3: 'A' is declared a second time"),
    ("type A (x: int)\n\nmethod B(\n a: []C) -> ()",
     "5: no type 'C' is declared above"),
    ("error E ()\ntype A (x: E)", "3: no type 'E' is declared above"),
    # Varlink has these, and the tables do not.
    ("type A (\nx: B)\ntype B (y: int)", "3: no type 'B' is declared above"),
    ("type A (x: []A)", "2: no type 'A' is declared above"),
    ("type A (red, blue)", "2: expected ':', found ','"),
    ("type A (x: (y: int))", "2: expected a type, found '('"),
    ("type A (x: float)", "2: expected a type, found 'float'"),
    ("type A (x: [string]int)", "2: expected a type, found '['"),
    ("type A (x: [][]int)", "2: expected a type, found '[]'"),
    ("type A (x: []?int)", "2: expected a type, found '?'"),
    ("type A (x: ??int)", "2: expected a type, found '?'"),
]

# Whole descriptions.
NO_NAME = "expected an interface's name like 'org.example.thing', found "
WHOLE = [
    ("", "0: expected 'interface', found the end"),
    ("# c\n\n", "2: expected 'interface', found the end"),
    ("\n\nmethod A() -> ()", "3: expected 'interface', found 'method'"),
    ("interfaces a.b", "1: expected 'interface', found 'interfaces'"),
    ("interface", "1: " + NO_NAME + "the end"),
    ("interface 1a.b", "1: " + NO_NAME + "'1a.b'"),
    ("interface a", "1: " + NO_NAME + "'a'"),
    ("interface a..b", "1: " + NO_NAME + "'a..b'"),
    ("interface a.b.", "1: " + NO_NAME + "'a.b.'"),
    ("interface a.b_c", "1: " + NO_NAME + "'a.b_c'"),
    ("interface a.b-c",
     "1: expected 'type', 'method' or 'error', found '-'"),
    ("\ninterface a.c", "2: the file of a.c has another name"),
]

SOUND = """interface a.b
# "x" \\
type A (x: ?[]int, y_z: bool) type B (as: []A)
method M(b: ?B)->(o: object, s: string)
error E ()"""


class Descriptions(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = os.path.join(directory.name, "a.b.varlink")

    def tables(self, text):
        with open(self.path, "w", encoding="latin-1", newline="") as f:
            f.write(text)
        return subprocess.run(["awk", "-f", SCRIPT, self.path],
                              capture_output=True, text=True, check=False)

    def refused(self, text, why):
        done = self.tables(text)
        self.assertEqual(
            (done.returncode, done.stdout, done.stderr),
            (1, "", f"{self.path}:{why}\n"), text)

    def test_refused(self):
        for text, why in REFUSED:
            self.refused("interface a.b\n" + text, why)

    def test_refused_as_a_whole(self):
        for text, why in WHOLE:
            self.refused(text, why)

    def test_sound(self):
        done = self.tables(SOUND)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for line in ('{"x", "[]int", VARLINK_INT, true, true, NULL},',
                     '{"y_z", "bool", VARLINK_BOOL, false, false, NULL},',
                     '{"as", "[]A", VARLINK_STRUCT, true, false, type_A},',
                     '{"b", "B", VARLINK_STRUCT, false, true, type_B},',
                     '{"M", method_M, reply_M},',
                     '{"E", error_E},',
                     '"# \\"x\\" \\\\\\n"',
                     "const struct varlink_interface varlink_a_b = {"):
            self.assertIn(line, done.stdout)

    def test_cut_anywhere(self):
        """It is refused, or sound because a member ended there."""
        sound = [end for end in range(len(SOUND) + 1)
                 if self.tables(SOUND[:end]).returncode == 0]
        ends = [len("interface a.b"), SOUND.index(") type") + 1,
                SOUND.index("\nmethod"), SOUND.index("\nerror"), len(SOUND)]
        self.assertEqual([end for end in sound if SOUND[end - 1] == ")"],
                         ends[1:])
        self.assertIn(ends[0], sound)

    def test_the_build_stops(self):
        """make fails, also when it is called again, until it is sound."""
        directory = os.path.dirname(self.path)
        os.symlink(os.path.join(harness.ROOT, "common"),
                   os.path.join(directory, "common"))
        command = ["make", "-s", "-C", directory, "-f",
                   os.path.join(harness.ROOT, "Makefile"), "B=build",
                   "build/gen/a.b.c"]
        for text, status in ((SOUND[:-1], 2), (SOUND[:-1], 2), (SOUND, 0)):
            self.tables(text)
            done = subprocess.run(command, capture_output=True, text=True,
                                  check=False)
            self.assertEqual(done.returncode, status, done.stderr)
            self.assertEqual(
                "a.b.varlink:5: expected a field's name" in done.stderr,
                status != 0)


if __name__ == "__main__":
    unittest.main()
