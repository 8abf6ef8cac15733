"""What axes of values run over."""

import pytest

from fanin.graph.axes import axes_of, letters, with_roles
from theory.propagation.graphs import Maker

B, P, C, H, M = "batch", "position", "channel", "head", "mixed"


def _roles(m, *names):
    graph = with_roles(m.graph(names[-1]))
    return [graph[name].roles for name in names]


def _atoms(m, name):
    return [[(atom.size, atom.role) for atom in axis] for axis in axes_of(m.graph(name))[name]]


def test_mlp():
    m = Maker()
    x = m.input(8, 32)
    y = m.linear(m.apply("relu", m.linear(x, 64)), 10)
    assert _roles(m, x, y) == [(B, C), (B, C)]


def test_one_example():
    m = Maker()
    x = m.input(1, 32)
    y = m.linear(x, 64)
    axes = axes_of(m.graph(y))
    assert [[atom.role for atom in axis] for axis in axes[y]] == [[], [C]]


def test_sequence():
    m = Maker()
    x = m.input(8, 5, 32)
    y = m.linear(x, 64)
    assert _roles(m, x, y) == [(B, P, C), (B, P, C)]


def test_images():
    m = Maker()
    x = m.input(8, 3, 16, 12)
    y = m.pool(m.convolution(x, 32, (3, 3), padding=1), "max", (2, 2), stride=2)
    z = m.reduce(y, "mean", (2, 3))
    out = m.linear(z, 10)
    assert _roles(m, x, y, z, out) == [(B, C, P, P), (B, C, P, P), (B, C), (B, C)]


def test_images_with_channels_last():
    m = Maker()
    x = m.input(8, 16, 12, 3)
    kernel = m.weight(3, 3, 3, 32)
    y = m.node(
        "convolution",
        x,
        kernel,
        shape=(8, 14, 10, 32),
        x_axes=(0, 3, 1, 2),
        kernel_axes=(3, 2, 0, 1),
        y_axes=(0, 3, 1, 2),
        stride=(1, 1),
        padding=((0, 0), (0, 0)),
        dilation=(1, 1),
        input_dilation=(1, 1),
        groups=1,
    )
    assert _roles(m, x, y) == [(B, P, P, C), (B, P, P, C)]


def test_flattened_image():
    """The dense layer after it sums over channels and positions."""
    m = Maker()
    x = m.input(8, 3, 4, 4)
    flat = m.reshape(m.convolution(x, 32, (1, 1)), 8, 512)
    y = m.linear(flat, 10)
    assert _roles(m, flat, y) == [(B, M), (B, C)]
    assert _atoms(m, flat)[1] == [(32, C), (4, P), (4, P)]


def test_packed_queries_and_heads():
    m = Maker()
    x = m.input(4, 6, 64)
    packed = m.linear(x, 192)
    query, key, value = (m.heads(m.slice(packed, 2, 64 * n, 64 * n + 64), 8) for n in range(3))
    heads = m.attention(query, key, value)
    y = m.reshape(m.permute(heads, 0, 2, 1, 3), 4, 6, 64)
    assert _roles(m, packed, query, heads, y) == [(B, P, C), (B, H, P, C), (B, H, P, C), (B, P, C)]
    assert _atoms(m, y)[2] == [(8, C), (8, C)]


def test_packed_before_the_heads():
    m = Maker()
    x = m.input(4, 6, 64)
    packed = m.permute(m.reshape(m.linear(x, 192), 4, 6, 3, 8, 8), 2, 0, 3, 1, 4)
    query, key, value = (m.slice(packed, 0, n, n + 1, drop=True) for n in range(3))
    heads = m.attention(query, key, value)
    assert _roles(m, query, heads) == [(B, H, P, C), (B, H, P, C)]


def test_sequence_first():
    """As PyTorch's attention without batch_first: (positions, batch, channels)."""
    m = Maker()
    x = m.input(6, 4, 64)
    turned = m.permute(x, 1, 0, 2)
    one = m.heads(m.linear(turned, 64), 8)
    y = m.reshape(m.permute(m.attention(one, one, one), 0, 2, 1, 3), 4, 6, 64)
    back = m.permute(y, 1, 0, 2)
    assert _roles(m, turned, y, back) == [(B, P, C), (B, P, C), (P, B, C)]


def test_class_token():
    m = Maker()
    x = m.input(4, 3, 8, 8)
    patches = m.convolution(x, 64, (4, 4), stride=4)
    row = m.permute(m.reshape(patches, 4, 64, 4), 0, 2, 1)
    token = m.broadcast(m.weight(1, 1, 64), 4, 1, 64, axes=(0, 1, 2))
    whole = m.concat(token, row, axis=1)
    first = m.slice(whole, 1, 0, 1, drop=True)
    assert _roles(m, row, whole, first) == [(B, P, C), (B, P, C), (B, C)]


def test_windows_of_images():
    """As Swin: windows go beside the batch, and back."""
    m = Maker()
    x = m.permute(m.convolution(m.input(2, 3, 8, 8), 32, (1, 1)), 0, 2, 3, 1)
    apart = m.permute(m.reshape(x, 2, 2, 4, 2, 4, 32), 0, 1, 3, 2, 4, 5)
    windows = m.reshape(apart, 8, 16, 32)
    one = m.heads(m.linear(windows, 32), 4)
    y = m.reshape(m.permute(m.attention(one, one, one), 0, 2, 1, 3), 8, 16, 32)
    back = m.reshape(m.permute(m.reshape(y, 2, 2, 2, 4, 4, 32), 0, 1, 3, 2, 4, 5), 2, 8, 8, 32)
    assert _roles(m, windows, y, back) == [(M, P, C), (M, P, C), (B, P, P, C)]


def test_patches_that_become_channels():
    """As Swin v2 merges them: four neighbours are the features of one place."""
    m = Maker()
    x = m.permute(m.convolution(m.input(2, 3, 8, 8), 16, (1, 1)), 0, 2, 3, 1)
    apart = m.permute(m.reshape(x, 2, 4, 2, 4, 2, 16), 0, 1, 3, 4, 2, 5)
    merged = m.reshape(apart, 2, 4, 4, 64)
    y = m.linear(merged, 32)
    assert _roles(m, x, merged, y) == [(B, P, P, C)] * 3
    assert _atoms(m, merged)[3] == [(2, C), (2, C), (16, C)]
    assert _atoms(m, x)[1] == [(4, P), (2, P)]


def test_atoms_that_do_not_fit():
    """An axis of 4 x 7 as 14 x 2; what lies beside it stays as it is."""
    m = Maker()
    x = m.convolution(m.input(2, 3, 28, 6), 16, (1, 1))
    windows = m.reshape(m.reshape(x, 2, 16, 4, 7, 6), 2, 16, 28, 6)
    apart = m.reshape(windows, 2, 16, 14, 2, 6)
    y = m.linear(m.reshape(m.permute(apart, 0, 2, 4, 3, 1), 2, 84, 32), 8)
    assert _roles(m, apart, y) == [(B, C, P, P, P), (B, P, C)]
    assert _atoms(m, apart)[1] == [(16, C)]


def test_pixel_shuffle():
    m = Maker()
    x = m.convolution(m.input(2, 3, 4, 4), 32, (1, 1))
    apart = m.permute(m.reshape(x, 2, 8, 2, 2, 4, 4), 0, 1, 4, 2, 5, 3)
    wide = m.reshape(apart, 2, 8, 8, 8)
    y = m.convolution(wide, 16, (3, 3), padding=1)
    assert _roles(m, x, wide, y) == [(B, C, P, P)] * 3
    assert _atoms(m, x)[1] == [(8, C), (2, C), (2, C)]
    assert _atoms(m, wide)[2] == [(4, P), (2, P)]


def test_generator():
    """A dense layer whose outputs become an image has positions among them."""
    m = Maker()
    x = m.input(4, 16)
    dense = m.linear(x, 32 * 16)
    image = m.reshape(dense, 4, 32, 4, 4)
    y = m.convolution(image, 8, (4, 4), between=2, padding=2)
    assert _roles(m, dense, image, y) == [(B, M), (B, C, P, P), (B, C, P, P)]
    assert _atoms(m, dense)[1] == [(32, C), (4, P), (4, P)]


def test_mixing_of_positions():
    """Of an axis of channels and another one, a sum over the other mixes positions."""
    m = Maker()
    x = m.linear(m.input(4, 6, 32), 32)
    y = m.linear(x, 12, equation="abc,zb->azc")
    z = m.linear(y, 8)
    assert _roles(m, x, y, z) == [(B, P, C)] * 3


def test_tokens():
    m = Maker()
    ids = m.tokens(4, 6)
    x = m.embedding(ids, m.weight(50, 16))
    y = m.apply("add", x, m.weight(6, 16))
    assert _roles(m, ids, y) == [(B, P), (B, P, C)]


@pytest.mark.parametrize(("train", "kind"), [(True, "batch"), (False, "instance")])
def test_norms_over_places(train, kind):
    m = Maker()
    x = m.input(4, 8, 5, 5)
    y = m.norm(x, kind, axes=(0, 2, 3) if train else (2, 3), train=train)
    assert _roles(m, x, y) == [(B, C, P, P)] * 2


def test_layer_norm():
    m = Maker()
    x = m.input(4, 5, 8)
    y = m.norm(x, "layer", axes=(2,), channel=2)
    assert _roles(m, y) == [(B, P, C)]


def test_sums_of_what_was_apart():
    """Two ways to the same axes agree on their atoms."""
    m = Maker()
    x = m.input(4, 6, 32)
    a = m.reshape(m.reshape(m.linear(x, 32), 4, 6, 8, 4), 4, 6, 32)
    y = m.apply("add", a, m.linear(x, 32))
    axes = axes_of(m.graph(y))
    assert axes[y] == axes[a]
    assert [atom.size for atom in axes[y][2]] == [8, 4]


def test_equations():
    assert letters("abc,dc->abd") == (["abc", "dc"], "abd")
