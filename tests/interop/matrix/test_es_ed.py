"""Interop of tokens and key sets; matrix.py says how."""
import unittest

from matrix import each

ES256 = each("ES256")
ES384 = each("ES384")
EdDSA = each("EdDSA")


if __name__ == "__main__":
    unittest.main()
