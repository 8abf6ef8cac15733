"""Whatever is wrong with the input: one message that says what and how to fix it, and nothing is touched."""

import sqlite3
from contextlib import closing

import pytest

from commands import invoke
from fanin.experiments.store import open_store
from fanin.testing.runs import make_run

BUILDERS = """
def raises(initializer):
    widths = {"hidden": 4}
    return net(initializer, widths["head"])
def returns_nothing(initializer): net(initializer)
def returns_a_number(initializer): return 3
def two(initializer, width): return net(initializer)
def by_name(initializer, *, width): return net(initializer)
def five(initializer): return net(initializer, 5, "softmax")
def two_units(initializer): return net(initializer, 2)
def softmax_of_one(initializer): return net(initializer, 1, "softmax")
def seven_inputs(initializer): return net(initializer, inputs=7)
def quits(initializer): sys.exit("bye")
def negative(initializer): return net(initializer, -1)
def pools(initializer):
    return keras.Sequential([keras.Input((5, 1)), layers.MaxPooling1D(9), layers.Flatten()])
model = net("zeros")
class Maker: pass
"""

DATA = """
def batches(): yield X, Y
def a_dict(): return {"x": X, "y": Y}
def three(): return X, Y, X
def nothing(): pass
def strings(): return X, np.array(["yes", "no"] * 20)
def mixed(): return [[1.0, "a"]] * 40, Y
def missing(): return [[1.0, None]] * 40, Y
def one_hot(): return X, np.eye(2)[Y]
def column_of_classes(): return X, CLASSES[:, None]
def ten_classes(): return X, CLASSES
def a_new_class(): return X, CLASSES % 5, X[:10], CLASSES[:10]
def five_targets(): return X, X
def nan():
    x = X.copy()
    x[3, 2] = np.nan
    return x, Y
def nan_in_y(): return X, np.where(np.arange(40) == 3, np.nan, Y)
def huge(): return X.astype(float) * 1e300, Y
def ids(): return CLASSES[:, None] + 10**12, Y
def shorter(): return X, Y[:39]
def other_shape(): return X, Y, X[:10, :4], Y[:10]
def other_labels(): return X, Y, X[:10], np.eye(2)[Y[:10]]
def empty(): return X[:0], Y[:0]
def signs(): return X, 2 * Y - 1
def ragged(): return [[1, 2], [3]], [0, 1]
def numbers(): return 3, 4
def no_file(): return np.load("absent.npy"), Y
def needs(path): return X, Y
def sklearns_order(): return X, X[:10], Y, Y[:10]
def no_test_labels(): return X, Y, X, None
def complexes(): return X.astype(complex), Y
def regression(): return X, X[:, 0]
def slanted(x, alpha): return alpha * x
def grows(x): return np.exp(x * x)
def roots(x): return np.sqrt(x)
def dies(x):
    return {}["a"]
"""

FILES = {
    "syntax.py": "import keras\ndef create_model(initializer):\n    return keras.Sequential(]\n",
    "imports.py": "import keras\nimport no_such_package\ndef create_model(initializer): ...\n",
    "quits.py": "import sys\nsys.exit(3)\n",
    "notes.txt": "def create_model(): ...\n",
}


@pytest.fixture
def full_folder(folder):
    with (folder / "user.py").open("a") as file:
        file.write(BUILDERS + DATA)
    for name, source in FILES.items():
        (folder / name).write_text(source)
    for name in ("newer.db", "kept.db"):
        with open_store(folder / name) as store:
            store.begin("5e1f", {})
            store.add("5e1f", [make_run("zeros", 0)])
    with closing(sqlite3.connect(folder / "newer.db")) as shell:
        shell.execute("PRAGMA user_version = 7")
    with closing(sqlite3.connect(folder / "other.db")) as shell:
        shell.execute("CREATE TABLE notes (text)")
    return folder


# fmt: off
CASES = [
    # what to train: the spec
    ("compare usr.py:create_model", "There is no file 'usr.py'", "user.py"),
    ("compare elsewhere/model.py:create_model", "There is no file", "check the path"),
    (r"compare 'C:\Users\me\model.py:create_model'", "There is no file"),
    (r"compare 'C:\Users\me\model.py'", "names a file, but not a function", "model.py:NAME"),
    ("compare user.py", "names a file, but not a function", "user.py:NAME"),
    ("compare create_model", "'create_model' does not name", "file.py:function"),
    ("compare user.py:", "does not name", "file.py:function"),
    ("compare :create_model", "does not name", "file.py:function"),
    ("compare user.py::create_model", "does not name", "file.py:function"),
    ("compare .user:create_model", "does not name", "package.module:function"),
    ("compare user.py:creat_model", "no 'creat_model'", "did you mean create_model"),
    ("compare 'user.py:create_model()'", "did you mean create_model"),
    ("compare notes.txt:create_model", "notes.txt is not a Python file"),
    ("compare .:create_model", "does not name"),
    ("compare no_such_module:create_model", "There is no module 'no_such_module'"),
    ("compare user.no_such_part:create_model", "There is no module 'user.no_such_part'"),
    ("compare syntax.py:create_model", "SyntaxError", "syntax.py:3: return keras.Sequential(]"),
    ("compare imports.py:create_model", "No module named 'no_such_package'", "imports.py:2: import"),
    ("compare quits.py:create_model", "SystemExit: 3", "quits.py:2: sys.exit(3)"),
    ("compare --data user.py:load_data", "There is no model to train", "file.py:create_model"),
    # what to train: the builder
    ("compare user.py:raises SMALL", "KeyError: 'head'", 'return net(initializer, widths["head"])'),
    ("compare user.py:returns_nothing SMALL", "returned nothing", "return model"),
    ("compare user.py:returns_a_number SMALL", "of type int", "return model"),
    ("compare user.py:Maker SMALL", "Maker"),
    ("compare user.py:two SMALL", "needs initializer, width", "defaults"),
    ("compare user.py:by_name SMALL", "needs initializer, width"),
    ("compare user.py:model SMALL", "Sequential, not a model builder", "def create_model"),
    ("compare user.py:X SMALL", "ndarray, not a model builder"),
    ("compare user.py:quits SMALL", "SystemExit: bye", "quits"),
    ("compare user.py:negative SMALL", "builder fails: ValueError", "Received: units=-1"),
    ("compare user.py:pools SMALL", "builder fails", "MaxPooling1D(9)"),
    ("compare user.py:seven_inputs SMALL", "shape (7,)", "have (5,)", "keras.Input((5,))"),
    ("compare user.py:create_model --data digits", "shape (5,)", "have (64,)"),
    # the data
    ("compare user.py:create_model --data digit", "no built-in data 'digit'", "did you mean digits"),
    ("compare user.py:create_model --data user.py", "names a file, but not a function"),
    ("compare user.py:create_model --data absent.py:load", "There is no file 'absent.py'"),
    ("compare user.py:create_model --data user.py:load", "no 'load'", "load_data"),
    ("MINE --data user.py:batches", "generator", "numpy.concatenate"),
    ("MINE --data user.py:a_dict", "of type dict", "(x, y)"),
    ("MINE --data user.py:three", "a tuple of 3", "(x, y)"),
    ("MINE --data user.py:nothing", "There is no data"),
    ("MINE --data user.py:strings", "y_train holds 'yes'", "return_inverse"),
    ("MINE --data user.py:mixed", "x_train holds", "of type str"),
    ("MINE --data user.py:missing", "x_train holds None"),
    ("MINE --data user.py:complexes", "of type complex"),
    ("MINE --data user.py:nan", "x_train holds 1 value", "column 2", "NaN"),
    ("MINE --data user.py:nan_in_y", "y_train holds 1 value", "NaN"),
    ("MINE --data user.py:huge", "x_train holds 200", "float32"),
    ("MINE --data user.py:ids", "more than 32 bits", "astype('float32')"),
    ("MINE --data user.py:shorter", "x_train has 40 examples, y_train has 39"),
    ("MINE --data user.py:other_shape", "(5,) in x_train and (4,) in x_test"),
    ("MINE --data user.py:other_labels", "() in y_train and (2,) in y_test"),
    ("MINE --data user.py:empty", "x_train is empty"),
    ("MINE --data user.py:ragged", "x_train is no array", "one length"),
    ("MINE --data user.py:numbers", "x_train is one number, 3"),
    ("MINE --data user.py:no_file", "FileNotFoundError", 'np.load("absent.npy")'),
    ("MINE --data user.py:needs", "needs path"),
    ("MINE --data user.py:sklearns_order", "train_test_split gives"),
    ("MINE --data user.py:no_test_labels", "only one of x and y"),
    # labels, losses and outputs
    ("MINE --data user.py:signs", "labels -1, 1", "map -1 to 0"),
    ("MINE --data user.py:regression", "labels from 0 to 1", "--loss mse"),
    ("MINE --data user.py:ten_classes", "sparse_categorical_crossentropy"),
    ("MINE --data user.py:one_hot", "gives one number", "is 2 numbers", "2 units"),
    ("compare user.py:two_units SMALL", "gives 2 numbers", "is one number", "1 unit"),
    ("MINE --data user.py:five_targets --loss mse", "is 5 numbers", "5 units"),
    ("compare user.py:softmax_of_one SMALL", "softmax over one unit", "sigmoid"),
    ("compare user.py:five SMALL --data user.py:ten_classes SPARSE", "go up to 9", "5 outputs", "10 units"),
    ("compare user.py:five SMALL --data user.py:column_of_classes SPARSE", "classes go up to 9", "5 outputs"),
    ("compare user.py:five SMALL --data user.py:a_new_class SPARSE", "classes go up to 9", "5 outputs"),
    ("MINE SPARSE", "classes go up to 1", "1 output", "binary_crossentropy"),
    ("compare user.py:five SMALL --data user.py:one_hot SPARSE", "one class number", "categorical"),
    ("compare user.py:five SMALL --data user.py:regression SPARSE", "not 0, 1, 2", "--loss mse"),
    ("compare user.py:five SMALL --loss categorical_crossentropy", "one-hot", "sparse_categorical"),
    # numbers
    ("compare SMALL --seeds 0", "seeds is 0", "positive", "--seeds 20"),
    ("compare SMALL --seeds -3", "seeds is -3", "positive"),
    ("compare SMALL --seeds 1,1", "seed 1 is given twice"),
    ("compare SMALL --seeds 5,-2", "A seed is -2"),
    ("compare SMALL --seeds 9223372036854775808,", "A seed is 9223372036854775808", "63 bits"),
    ("compare SMALL --seeds 1000000000000", "too many", "--seeds 1000000000000,"),
    ("compare SMALL --seeds many", "seeds is 'many'", "0,1,2"),
    ("compare SMALL --seeds 1.5", "seeds is '1.5'"),
    ("compare SMALL --epochs 0", "epochs is 0", "positive", "--epochs 10"),
    ("compare SMALL --epochs -1", "epochs is -1"),
    ("compare SMALL --epochs ten", "'--epochs': 'ten' is not a valid integer"),
    ("compare SMALL --batch-size 0", "batch_size is 0", "--batch-size 32"),
    ("MINE --batch-size 41", "40 training examples", "--batch-size 32"),
    # names
    ("compare SMALL --schemes he_norml", "no scheme 'he_norml'", "he_normal", "fanin schemes"),
    ("compare SMALL --schemes ,", "no schemes to compare"),
    ("compare SMALL --schemes zeros,zeros", "Two schemes are called 'zeros'"),
    ("compare SMALL --schemes he_normal,kaiming_normal", "are the same scheme"),
    ("compare SMALL --schemes 'normal(stddev=-1)'", "stddev=-1", "not negative"),
    ("compare SMALL --schemes 'normal(stddev=1'", "cannot be read", "name(argument=number)"),
    ("MINE --optimizer adan", "optimizer 'adan'", "Adam"),
    ("MINE --loss binary_crosentropy", "loss 'binary_crosentropy'", "binary_cr"),
    ("MINE --metric acuracy", "metric 'acuracy'", "accuracy"),
    ("MINE --score lss", "'lss' is not logged", "val_loss"),
    ("MINE --target los=.3", "'los' is not logged", "val_loss"),
    ("MINE --target loss", "not name=value", "loss=.3"),
    ("MINE --control glorot", "'glorot' is not compared", "he_normal"),
    ("compare SMALL --backend mxnet", "'mxnet' is not one of"),
    ("compare user.py:create_model --data user.py:load_data", "There is no loss", "--loss"),
    ("compare SMALL --seed 3", "No such option '--seed'", "--seeds"),
    ("compare SMALL --schemes", "'--schemes' requires an argument"),
    ("compar", "no command 'compar'", "did you mean compare"),
    ("user.py:create_model", "no command", "fanin compare user.py:create_model"),
    ("schemes he_norml", "no scheme 'he_norml'", "he_normal"),
    # activations
    ("gain", "Missing argument 'ACTIVATION'"),
    ("gain gelo", "no activation 'gelo'", "perhaps gelu"),
    ("gain 'leaky_relu(x)'", "does not take x", "negative_slope=0.01"),
    ("gain swiglu", "halves the width", "silu in SwiGLU"),
    ("gain softmax", "mixes its elements"),
    ("gain usr.py:mine", "There is no file 'usr.py'", "user.py"),
    ("gain user.py", "names a file, but not an activation"),
    ("gain user.py:numbrs", "no 'numbrs'", "numbers"),
    ("gain user.py:X", "is of type ndarray", "an activation"),
    ("gain user.py:Maker", "Maker is a class"),
    ("gain user.py:slanted", "missing 1 required positional argument"),
    ("gain user.py:grows", "grows too fast"),
    ("gain user.py:roots", "roots is nan at x = -"),
    ("gain user.py:dies", "KeyError: 'a'", 'return {}["a"]'),
    ("gain gelu --depth 0", "depth is 0", "positive whole number"),
    ("gain gelu --width -1", "width is -1"),
    ("gain gelu --width wide", "'wide' is not a valid integer"),
    ("phase tahn", "no activation 'tahn'", "tanh"),
    ("phase sign", "sign has no critical line"),
    ("phase tanh --bias-variance 1", "--bias-variance is given alone", "--weight-variance beside it"),
    ("phase tanh --weight-variance -1", "weight_variance is -1.0", "0 or more"),
    ("phase tanh --weight-variance 1 --html no/page.html", "cannot be written"),
    # files
    ("MINE --store absent/runs.db", "There is no directory absent", "mkdir -p"),
    ("MINE --store .", "is a directory", "runs.db"),
    ("MINE --store user.py", "user.py is not an SQLite file"),
    ("MINE --store other.db", "other.db is not a store of fanin"),
    ("MINE --store newer.db", "format 7", "pip install --upgrade fanin"),
    ("MINE --html absent/report.html", "There is no directory", "mkdir -p"),
    ("MINE --html .", "is a directory", "report.html"),
    ("MINE --store kept.db --html kept.db", "kept.db is the store"),
    ("runs absent.db", "There is no store absent.db"),
    ("export user.py", "user.py is not an SQLite file"),
]
# fmt: on


@pytest.mark.parametrize(("command", "said"), [(command, said) for command, *said in CASES])
def test_bad_input(full_folder, command, said):
    before = contents(full_folder)
    result = invoke(command)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert isinstance(result.exception, SystemExit)  # and no traceback
    assert [part for part in said if part not in result.stderr] == [], result.stderr
    assert contents(full_folder) == before


def contents(folder):
    return {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_debug_shows_the_traceback(full_folder):
    for command in ("compare --debug --schemes he_norml", "--debug compare --schemes he_norml"):
        assert type(invoke(command).exception).__name__ == "FaninError"


OWN = """
class Own(keras.Model):
    def fit(self, *args, **kwargs):
        raise OverflowError("odd")
def own(initializer):
    x = keras.Input((5,))
    return Own(x, layers.Dense(1)(x))
"""


def test_what_nobody_foresaw_is_one_message_too(folder):
    with (folder / "user.py").open("a") as file:
        file.write(OWN)
    result = invoke("compare user.py:own SMALL --loss mse")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert isinstance(result.exception, SystemExit)
    for part in ("OverflowError: odd", 'raise OverflowError("odd")', "--debug"):
        assert part in result.stderr
