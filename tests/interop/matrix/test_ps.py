"""Interop of tokens and key sets; matrix.py says how."""
import unittest

from matrix import each

PS256 = each("PS256")
PS384 = each("PS384")
PS512 = each("PS512")


if __name__ == "__main__":
    unittest.main()
