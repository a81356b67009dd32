"""TensorFlow as it is imported: without lines of its own on standard error."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow
PROGRAM = """
import os
from tallylens.converters.emit.tensorflow import quiet_tensorflow
with quiet_tensorflow(training={training}) as tf:
    tf.matmul(tf.ones((2, 2)), tf.ones((2, 2)))
os.write(2, b"ours")
"""


@pytest.mark.parametrize("training", [False, True])
def test_it_writes_nothing(training: bool) -> None:
    program = PROGRAM.format(training=training)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"ours")
