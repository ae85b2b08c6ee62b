"""Ctrl-C is never swallowed: it is noted, and looked at."""

import signal
import time

import pytest

from keras_sparseflow.interruption import check_interruption
from tests import processes
from tests.processes import Program

# A process that was started with SIGINT ignored (in the background, say) hands that down; here it must be heard.
HEARING = """
import gc, os, signal, sys, time, weakref
signal.signal(signal.SIGINT, signal.default_int_handler)
from keras_sparseflow.interruption import check_interruption, interruptions_noted

class Thing: pass

def interrupt(reference):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.1)  # the handler runs in here, where Python forgets what it raises

def swallowed():
    thing = Thing()
    reference = weakref.ref(thing, interrupt)
    del thing
"""

NOTED = """
with interruptions_noted():
    swallowed()
    print("swallowed", flush=True)
    try:
        check_interruption()
    except KeyboardInterrupt:
        print("raised")
print(signal.getsignal(signal.SIGINT) is signal.default_int_handler, signal.set_wakeup_fd(-1))
check_interruption()
"""

FORGOTTEN = """
swallowed()
check_interruption()
print("forgotten")
"""


def test_what_python_swallows_in_a_callback_is_raised_where_it_is_looked_at():
    done = processes.run(HEARING + NOTED)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["swallowed", "raised", "True", "-1"]


BECOMES = """
try:
    with interruptions_noted():
        {}
except BaseException as error:
    print(type(error).__name__)
"""


@pytest.mark.parametrize(
    ("within", "becomes"), [("swallowed(); int('x')", "KeyboardInterrupt"), ("int('x')", "ValueError")]
)
def test_an_error_that_becomes_of_an_interruption_is_one_and_another_error_stays(within, becomes):
    done = processes.run(HEARING + BECOMES.format(within))
    assert done.stdout == f"{becomes}\n", done.stderr


# A function of TensorFlow, by the name of its module.
WITHIN = """
module = {"__name__": "tensorflow.python.eager", "os": os, "signal": signal, "time": time}
exec("def call():\\n os.kill(os.getpid(), signal.SIGINT)\\n time.sleep(0.1)\\n return 'whole'", module)
try:
    with interruptions_noted():
        print(module["call"]())
        time.sleep(20)
except KeyboardInterrupt:
    print("raised", signal.getitimer(signal.ITIMER_REAL)[0], signal.getsignal(signal.SIGALRM) is signal.SIG_DFL)
"""


def test_nothing_is_raised_within_tensorflow_and_soon_after_it_is():
    """Raised within, it made `SystemError`, "Exiting device scope without proper scope nesting", or broke the heap."""
    done = processes.run(HEARING + WITHIN)
    assert done.stdout.split() == ["whole", "raised", "0.0", "True"], done.stderr


LOOKED_AT = """
try:
    with interruptions_noted():
        module["call"]()
        try:
            check_interruption()
        finally:
            time.sleep(0.2)  # the timer would have come
            print("cleaned")
except KeyboardInterrupt:
    print("ended")
"""


def test_what_cleans_up_after_a_look_is_not_interrupted_again():
    short = WITHIN[: WITHIN.index("try:")].replace("time.sleep(0.1)", "pass")
    done = processes.run(HEARING + short + LOOKED_AT)
    assert done.stdout.split() == ["cleaned", "ended"], done.stderr


def test_outside_of_the_context_nothing_is_noted_and_the_handler_is_pythons_own():
    assert processes.run(HEARING + FORGOTTEN).stdout.split() == ["forgotten"]
    check_interruption()


@pytest.mark.parametrize("own", ["signal.SIG_IGN", "lambda number, frame: None"])
def test_a_handler_of_ones_own_stays(own):
    program = f"own = {own}\nsignal.signal(signal.SIGINT, own)\nwith interruptions_noted():\n    "
    done = processes.run(HEARING + program + "print(signal.getsignal(signal.SIGINT) is own)\n")
    assert done.stdout == "True\n", done.stderr


def test_another_thread_than_the_main_one_changes_nothing():
    program = """
import threading
def inside():
    with interruptions_noted():
        print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
thread = threading.Thread(target=inside)
thread.start(), thread.join()
"""
    assert processes.run(HEARING + program).stdout == "True\n"


# The main thread is inside of one call of C, as in a long call of TensorFlow: Python runs no handler until it returns.
STUCK = """
import hashlib
with interruptions_noted():
    print("stuck", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)  # minutes
"""


def test_a_second_one_ends_the_process_at_once_also_within_a_long_call():
    process = Program(HEARING + STUCK)
    try:
        time.sleep(2)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        assert process.poll() is None, "it is in the call"
        process.send_signal(signal.SIGINT)
    finally:
        done = process.end(timeout=20)
    assert done.returncode == 130 and time.monotonic() - began < 5
    assert "Ended at once." in done.stderr and "stuck" in done.stdout
