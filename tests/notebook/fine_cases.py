"""Sessions as people have them, in which nothing is stale."""

from __future__ import annotations

from tests.notebook.planted_cases import Case

RERUN = [
    ("a", "import math\nimport os"),
    ("b", "lr = 0.1\nepochs = 2"),
    ("c", "def f(x):\n    return x * lr"),
    ("d", "data = [1, 2]\ndata.append(3)"),
]
FINE: dict[str, Case] = {
    "top to bottom": Case(RERUN, "log(x=f(sum(data)) * math.pi)", ""),
    "all cells twice": Case([*RERUN, *RERUN], "log(x=f(sum(data)))", ""),
    "imports again": Case([*RERUN, RERUN[0]], "log(x=math.pi)", ""),
    "a function again, as it is": Case([*RERUN, RERUN[2]], "log(x=f(1))", ""),
    "the cell of settings again, as it is": Case(
        [*RERUN, ("e", "opt = [lr]"), RERUN[1]], "log(x=opt[0])", ""
    ),
    "a function that another cell defines anew": Case(
        [*RERUN, ("e", "def f(x):\n    return x")], "log(x=f(1))", ""
    ),
    "an edited function": Case(
        [*RERUN, ("c", "def f(x):\n    return 2 * x * lr")], "log(x=f(1))", ""
    ),
    "an edited comment and docstring": Case(
        [
            ("a", "def g():\n    'one'\n    return 1"),
            ("b", "y = g()"),
            ("a", "def g():\n    'two'  # so\n    return  1"),
        ],
        "log(x=y)",
        "",
    ),
    "edited, and all below run again": Case(
        [
            ("a", "n = 2"),
            ("b", "xs = list(range(n))"),
            ("a", "n = 3"),
            ("b", "xs = list(range(n))"),
        ],
        "log(x=len(xs))",
        "",
    ),
    "a setting added beside others": Case(
        [("a", "lr = 1"), ("b", "opt = [lr]"), ("a", "lr = 1\nepochs = 3")],
        "log(x=opt[0] * epochs)",
        "",
    ),
    "an import added": Case(
        [("a", "import math"), ("b", "y = math.pi"), ("a", "import math\nimport json")],
        "log(x=y)\njson.dumps(1)",
        "",
    ),
    "a name moved to another cell": Case(
        [("a", "lr = 1\nn = 2"), ("b", "n = 2"), ("a", "lr = 1")], "log(x=n * lr)", ""
    ),
    "a plotting cell again": Case(
        [
            ("a", "import matplotlib.pyplot as plt\nxs = [1, 2]"),
            *[("b", "plt.rcParams['font.size'] = 8\nfig, ax = plt.subplots()\nax.plot(xs)")] * 2,
        ],
        "log(x=len(xs))\nax.set_title('x')",
        "",
    ),
    "a plot that was edited": Case(
        [("a", "xs = [1, 2]"), ("b", "print(xs)"), ("b", "print(xs[0])")], "log(x=xs[0])", ""
    ),
    "timed": Case([("a", "%%time\nxs = [1]"), ("a", "%%time\nxs = [1]")], "log(x=xs[0])", ""),
    "timed in a line": Case([("a", "%time xs = [1]")] * 2, "log(x=xs[0])", ""),
    "added up once": Case([("a", "t = 1"), ("b", "t += 1")], "log(x=t)", ""),
    "added up in the cell that makes it": Case([("a", "t = 1\nt += 1")] * 3, "log(x=t)", ""),
    "made and changed again": Case(
        [("a", "t = [1]"), ("b", "t.append(1)"), ("a", "t = [1]"), ("b", "t.append(1)")],
        "log(x=len(t))",
        "",
    ),
    "a loop's own name": Case(
        [("a", "for i in range(3):\n    pass"), ("a", "for i in range(3):\n    pass")],
        "log(x=i)",
        "",
    ),
    "the best of a loop": Case(
        [("a", "for n, x in enumerate([3, 1]):\n    best = x if n == 0 else min(best, x)")] * 2,
        "log(x=best)",
        "",
    ),
    "to a device again": Case(
        [
            ("a", "import torch\nnet = torch.nn.Linear(1, 1)\ndevice = 'cpu'"),
            *[("b", "net = net.to(device)\nnet.eval()")] * 2,
        ],
        "log(x=sum(1 for _ in net.parameters()))",
        "",
    ),
    "to another device": Case(
        [
            ("a", "import torch\nnet = torch.nn.Linear(1, 1)"),
            ("b", "net = net.to('cpu')"),
            ("b", "net = net.cpu()"),
        ],
        "log(x=sum(1 for _ in net.parameters()))",
        "",
    ),
    "two that are made from each other": Case(
        [
            ("a", "def wrap(*some): return some\nnet, opt = 1, 2"),
            *[("b", "net, opt = wrap(net, opt)\nnet = abs(net)\nopt = max(opt, net)")] * 2,
        ],
        "log(x=net + opt)",
        "",
    ),
    "columns in another order": Case(
        [
            ("a", "d = {}"),
            ("c", "d['c'] = 1"),
            ("b", "d['b'] = 1"),
        ],
        "log(x=len(d))",
        "",
        [("a", "d = {}"), ("b", "d['b'] = 1"), ("c", "d['c'] = 1"), ("run", "")],
    ),
    "what is taken with a default": Case(
        [("a", "d = {'a': 1}"), *[("b", "d.pop('z', None)")] * 2], "log(x=len(d))", ""
    ),
    "a column again": Case(
        [
            ("a", "import pandas as pd\ndf = pd.DataFrame({'a': [1, 2]})"),
            *[("b", "df['b'] = df['a'] * 2\ndf = df.dropna()\ndf = df.reset_index(drop=True)")] * 2,
        ],
        "log(x=float(df['b'].sum()))",
        "",
    ),
    "a column that was edited": Case(
        [
            ("a", "import pandas as pd\ndf = pd.DataFrame({'a': [1, 2]})"),
            ("b", "df['b'] = df['a'] * 2"),
            ("b", "df['b'] = df['a'] * 3"),
        ],
        "log(x=float(df['b'].sum()))",
        "",
    ),
    "a setting of an object that was edited": Case(
        [("a", "class C: pass\ncfg = C()"), ("b", "cfg.lr = 1"), ("b", "cfg.lr = 2")],
        "log(x=cfg.lr)",
        "",
    ),
    "a dict that collects": Case(
        [("a", "found = {}"), ("b", "found['a'] = 1"), ("b", "found['a'] = 2")],
        "log(x=len(found))",
        "",
    ),
    "a memory of a function": Case(
        [
            ("a", "kept = {}\ndef get(n):\n    kept[n] = n\n    return n"),
            ("b", "y = get(1)"),
            ("b", "y = get(1)"),
        ],
        "log(x=y + len(kept))",
        "",
    ),
    "weights that are loaded again": Case(
        [
            ("a", "import torch\nnet = torch.nn.Linear(1, 1)\nkept = net.state_dict()"),
            *[("b", "net.load_state_dict(kept)")] * 2,
        ],
        "log(x=len(kept))\nnet.train()",
        "",
    ),
    "one cell of two, chosen by running it": Case(
        [("a", "size = 1"), ("b", "size = 2"), ("a", "size = 1")], "log(x=size)", ""
    ),
    "a cell that fails, mended": Case(
        [("a", "x = 1\ny = nothing"), ("a", "x = 1\ny = x")], "log(x=x + y)", ""
    ),
    "a cell that fails half way, run again": Case(
        [("a", "go = []"), ("b", "go.append(1)\nnothing"), ("b", "go.append(1)")],
        "log(x=len(go))",
        "",
    ),
    "a branch that is not taken again": Case(
        [
            ("a", "cache = None"),
            ("b", "if cache is None:\n    cache = [1]"),
            ("b", "if cache is None:\n    cache = [1]"),
        ],
        "log(x=len(cache))",
        "",
    ),
    "try, and otherwise": Case(
        [("a", "try:\n    import nosuch\nexcept ImportError:\n    nosuch = None")] * 2,
        "log(x=1 if nosuch is None else 0)",
        "",
    ),
    "executed text": Case([("a", "exec('q = 1')"), ("a", "exec('q = 2')")], "log(x=q)", ""),
    "a magic's value": Case([("a", "files = !echo a"), ("a", "files = !echo b")], "log(x=1)", ""),
    "a global that a function sets": Case(
        [("a", "n = 0\ndef up():\n    global n\n    n += 1"), ("b", "up()"), ("b", "up()")],
        "log(x=n)",
        "",
    ),
    "sorted again": Case(
        [
            ("a", "xs = [2, 1]"),
            ("b", "xs.sort()\nxs = sorted(xs)"),
            ("b", "xs.sort()\nxs = sorted(xs)"),
        ],
        "log(x=xs[0])",
        "",
    ),
    "paths again": Case(
        [
            ("a", "from pathlib import Path\nroot = '.'"),
            ("b", "root = Path(root)"),
            ("b", "root = Path(root)\nroot.exists()"),
        ],
        "log(x=len(str(root)))",
        "",
    ),
    "a path of modules": Case(
        [("a", "import sys\nsys.path.append('nowhere')")] * 2, "log(x=len(sys.path))", ""
    ),
    "the run's own cell, again and edited": Case(
        [
            ("a", "net = [1]"),
            ("run", "%%mlrun q\nnet[0] *= 2\nlog(x=net[0])"),
            ("run", "%%mlrun q\nnet[0] *= 3\nlog(x=net[0])"),
        ],
        "log(x=net[0])",
        "",
    ),
    "a saved file that is behind": Case(
        [("a", "x = 1"), ("new", "y = x")],
        "log(x=y)",
        "",
        [("a", "x = 1"), ("new", "y = x"), ("run", "")],
    ),
    "a name that a run's line has": Case(
        [("a", "lr = 1"), ("b", "train = lr"), ("a", "lr = 2")], "log(x=lr)", ""
    ),
    "written to a file": Case(
        [("a", "%%writefile net.txt\nx = 1"), ("a", "%%writefile net.txt\nx = 2"), ("b", "x = 1")],
        "log(x=x)",
        "",
    ),
}
