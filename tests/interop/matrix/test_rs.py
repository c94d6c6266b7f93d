"""Interop of tokens and key sets; matrix.py says how."""
import unittest

from matrix import each

RS256 = each("RS256")
RS384 = each("RS384")
RS512 = each("RS512")


if __name__ == "__main__":
    unittest.main()
