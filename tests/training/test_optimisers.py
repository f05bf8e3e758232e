"""The optimisers against torch's own, and Muon against what orthogonal means."""

import pytest
import torch
from small import train_settings
from torch import optim

from fashion_mnist.model import exact
from fashion_mnist.model.networks import NETWORKS, build
from fashion_mnist.training.optimisers import OPTIMIZERS, orthogonal

SIZES = [(6, 1, 3, 3), (6,), (10, 54), (10,)]


class Parameters(torch.nn.Module):
    """Two weights and two vectors, whose gradients a test gives."""

    def __init__(self):
        super().__init__()
        self.all = torch.nn.ParameterList(drawn(*size, seed=99) for size in SIZES)


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def make(network, name, **changes):
    return OPTIMIZERS[name](network, train_settings(optimizer=name, **changes))


def step(network, optimizer, number, lr=0.01):
    """One of an optimiser of ours, by gradients that the number decides."""
    optimizer.begin(lr)
    optimizer.zero_gradients()
    for at, parameter in enumerate(network.parameters()):
        parameter.grad += drawn(*parameter.shape, seed=100 * number + at)
    optimizer.update()


def torchs(name, parameters, lr, momentum, decay):
    """With decay for what is no vector, as ours."""
    groups = [
        {"params": [p for p in parameters if (p.dim() > 1) == weights], "weight_decay": each}
        for weights, each in ((True, decay), (False, 0.0))
    ]
    if name == "sgd":
        return optim.SGD(groups, lr=lr, momentum=momentum, nesterov=momentum > 0)
    return {"adam": optim.Adam, "adamw": optim.AdamW}[name](groups, lr, (momentum, 0.999))


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_an_optimiser_steps_as_torchs(name, momentum, decay):
    """Twenty steps, of a rate that changes."""
    ours, theirs = Parameters(), Parameters()
    optimizer = make(ours, name, momentum=momentum, weight_decay=decay)
    other = torchs(name, list(theirs.parameters()), 0.01, momentum, decay)
    for number in range(20):
        lr = 0.01 * (1 + number % 3)
        step(ours, optimizer, number, lr)
        for group in other.param_groups:
            group["lr"] = lr
        for at, parameter in enumerate(theirs.parameters()):
            parameter.grad = drawn(*parameter.shape, seed=100 * number + at)
        other.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_what_is_saved_goes_on_with_the_same_bits(name):
    straight, broken = (build("lenet", 0.25, seed=1) for _ in range(2))
    optimizer, first = make(straight, name, weight_decay=0.1), make(broken, name, weight_decay=0.1)
    for number in range(3):
        step(straight, optimizer, number)
        step(broken, first, number)
    again = build("lenet", 0.25, seed=2)
    second = make(again, name, weight_decay=0.1)
    again.load_state_dict(broken.state_dict())
    second.load_state_dict(first.state_dict())
    for number in range(3, 6):
        step(straight, optimizer, number)
        step(again, second, number)
    for a, b in zip(straight.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_network_computes_with_what_is_updated(name):
    """Its parameters are views of the optimiser's vectors, with values and strides as before."""
    network, same = (build("plain", 0.25, seed=1) for _ in range(2))
    optimizer = make(network, name)
    for ours, before in zip(network.parameters(), same.parameters(), strict=True):
        assert torch.equal(ours, before)
        assert ours.stride() == before.stride()
    network(drawn(4, 1, 28, 28)).square().sum().backward()
    same(drawn(4, 1, 28, 28)).square().sum().backward()
    optimizer.begin(0.01)
    optimizer.update()
    for ours, before in zip(network.parameters(), same.parameters(), strict=True):
        assert torch.equal(ours.grad, before.grad)
        assert not torch.equal(ours, before)
    optimizer.zero_gradients()
    assert not any(parameter.grad.any() for parameter in network.parameters())


@pytest.mark.parametrize("name", ["adamw", "muon"])
@pytest.mark.parametrize("network", NETWORKS)
def test_decay_shrinks_weights_whose_gradient_is_zero_and_no_vectors(name, network):
    made = build(network, width=0.125)
    optimizer = make(made, name, weight_decay=0.5)
    before = {name: p.detach().clone() for name, p in made.named_parameters()}
    optimizer.begin(0.1)
    optimizer.zero_gradients()
    optimizer.update()
    for name, parameter in made.named_parameters():
        factor = 0.95 if parameter.dim() > 1 else 1.0
        torch.testing.assert_close(parameter.detach(), before[name] * factor)


# Muon


@pytest.mark.parametrize("shape", [(16, 16), (32, 144), (200, 20), (1, 50)])
def test_singular_values_come_close_to_one(shape):
    """The bounds are those that the polynomial keeps a value within, once it has come there."""
    values = torch.linalg.svdvals(orthogonal(drawn(*shape)))
    assert 0.6 < values.min() <= values.max() < 1.25


@pytest.mark.parametrize("shape", [(6, 40), (40, 6), (20, 20)])
@pytest.mark.parametrize(
    ("product", "allowed"), [(torch.mm, 1e-3), (exact.matmul, 0.03)], ids=["native", "portable"]
)
def test_is_what_five_iterations_on_the_whole_matrix_give(shape, product, allowed):
    """Also where the matrix is nearly singular: then rounding must not grow from step to step.

    What is smaller than an operand's last bit, 2^-18, grows by at most 3.4445^5 = 485, and that of
    all directions adds up.
    """
    u, _, v = torch.linalg.svd(drawn(*shape).double(), full_matrices=False)
    values = torch.logspace(0, -9, min(shape), dtype=torch.float64)
    found = matrix = u * values @ v
    found = found / found.norm()
    for _ in range(5):
        square = found @ found.T
        found = 3.4445 * found - 4.775 * square @ found + 2.0315 * square @ square @ found
    made = orthogonal(matrix.float(), product).double()
    torch.testing.assert_close(made, found, atol=allowed, rtol=0)


def test_directions_are_kept():
    """U and V of the singular value decomposition are the matrix's own."""
    matrix = drawn(8, 20)
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    between = u.T @ orthogonal(matrix) @ v.T
    torch.testing.assert_close(between, between.diag().diag(), atol=1e-4, rtol=0)
    assert (between.diag() > 0).all()


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_size_of_a_matrix_has_no_say(scale):
    matrix = drawn(8, 20)
    torch.testing.assert_close(orthogonal(matrix * scale), orthogonal(matrix), atol=1e-3, rtol=0)


def test_of_zeros_come_zeros():
    assert torch.equal(orthogonal(torch.zeros(4, 6)), torch.zeros(4, 6))


@pytest.mark.parametrize("arithmetic", ["portable", "native"])
def test_a_matrix_steps_as_torchs(arithmetic):
    """Which works in bfloat16, whose eight bits are the tolerance."""
    network = build("lenet", seed=1)
    ours, theirs = network.linear1.weight, network.linear1.weight.detach().clone()
    optimizer = make(network, "muon", weight_decay=0.1, arithmetic=arithmetic)
    other = optim.Muon(
        [theirs], lr=0.01, weight_decay=0.1, momentum=0.9, adjust_lr_fn="match_rms_adamw"
    )
    before = theirs.clone()
    for number in range(3):
        step(network, optimizer, number)
        theirs.grad = ours.grad.clone()
        other.step()
    moved = theirs - before
    assert (ours - theirs).norm() < 0.02 * moved.norm()


@pytest.mark.parametrize("name", NETWORKS)
def test_the_first_and_the_last_layer_and_vectors_step_as_adamws(name):
    networks = [build(name, 0.25, seed=1) for _ in range(2)]
    for network, optimizer in zip(networks, ("muon", "adamw"), strict=True):
        made = make(network, optimizer, weight_decay=0.1)
        for number in range(2):
            step(network, made, number)
    muons, adamws = (list(network.parameters()) for network in networks)
    weights = [number for number, parameter in enumerate(muons) if parameter.dim() > 1]
    hidden = set(weights[1:-1])
    assert hidden
    for number, (a, b) in enumerate(zip(muons, adamws, strict=True)):
        assert torch.equal(a, b) == (number not in hidden), number
