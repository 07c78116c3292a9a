"""One training-time-test step in plain fp64 autograd: the oracle of `eyrie replay`.

Written for clarity and independence, not speed: every token is a row at every depth, attention scores are dense with an
explicit mask over the keys [K0 | K1 | .. | Kk], and supervision is applied by masking the loss. Rows whose input token
would lie past the end of the batch read its last token: they are never supervised, and nothing supervised sees them.
"""

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F


@dataclass
class DraftOptions:
    hidden: int = 32
    target_hidden: int = 32
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 8
    intermediate: int = 40
    vocabulary: int = 97
    draft_vocabulary: int = 40
    taps: int = 3
    eps: float = 1e-5
    fc_norm: bool = False
    norm_before_fc: bool = False
    norm_before_residual: bool = False
    norm_output: bool = False
    rope_theta: float = 10000.0
    llama3_rope: dict = field(default_factory=dict)


@dataclass
class Batch:
    input_ids: torch.Tensor  # [T] i64
    cu_seqlens: torch.Tensor  # [B+1] i32
    taps: torch.Tensor  # [T, taps * Ht]
    last_hidden: torch.Tensor  # [T, Ht]
    loss_mask: torch.Tensor  # [T] u8
    embedding: torch.Tensor  # [V, H]
    lm_head: torch.Tensor  # [V, Ht]
    draft_ids: torch.Tensor  # [Vd] target ids of the draft vocabulary, ascending


def starts_and_ends(batch):
    """First and last token index of every token's sequence."""
    bounds = batch.cu_seqlens.tolist()
    starts, ends = [], []
    for first, behind in zip(bounds[:-1], bounds[1:]):
        starts += [first] * (behind - first)
        ends += [behind - 1] * (behind - first)
    return starts, ends


def spans_of(batch):
    """Maximal runs [a, b] of loss_mask = 1 inside one sequence."""
    mask = batch.loss_mask.tolist()
    starts, ends = starts_and_ends(batch)
    spans = []
    for a, value in enumerate(mask):
        if value and (a == starts[a] or not mask[a - 1]):
            b = a
            while b < ends[a] and mask[b + 1]:
                b += 1
            spans.append((a, b))
    return spans


def supervised_rows(batch, depth):
    """[T] bool: start(a) <= t, t + 1 >= a and t + 2 + depth <= b for some span [a, b]."""
    starts, _ = starts_and_ends(batch)
    rows = torch.zeros(len(starts), dtype=torch.bool)
    for a, b in spans_of(batch):
        for t in range(len(starts)):
            if starts[a] <= t and t + 1 >= a and t + 2 + depth <= b:
                rows[t] = True
    return rows


def rms_norm(x, weight, eps):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * weight


def inverse_frequencies(options):
    exponents = torch.arange(0, options.head_dim, 2, dtype=torch.float64) / options.head_dim
    frequencies = options.rope_theta**-exponents
    scaling = options.llama3_rope
    if not scaling:
        return frequencies
    original = scaling["original_max_position_embeddings"]
    low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
    scaled = []
    for frequency in frequencies.tolist():
        wavelength = 2 * torch.pi / frequency
        blend = min(1.0, max(0.0, (original / wavelength - low) / (high - low)))
        scaled.append((1 - blend) * frequency / scaling["factor"] + blend * frequency)
    return torch.tensor(scaled, dtype=torch.float64)


def rotate(x, positions, frequencies):
    """Rotate-half RoPE of x [T, heads, D]."""
    angles = positions.double()[:, None] * frequencies
    cosine, sine = torch.cos(angles).repeat(1, 2)[:, None], torch.sin(angles).repeat(1, 2)[:, None]
    first, second = x.chunk(2, dim=-1)
    return x * cosine + torch.cat([-second, first], dim=-1) * sine


def key_mask(batch, depth):
    """[T, T * (depth + 1)]: the causal prefix of the sequence, then the row's own key of every later depth."""
    starts, _ = starts_and_ends(batch)
    start = torch.tensor(starts)
    token = torch.arange(len(starts))
    prefix = (start[:, None] == start[None, :]) & (token[None, :] <= token[:, None])
    own = token[None, :] == token[:, None]
    return torch.cat([prefix] + [own] * depth, dim=1)


def attention(q, keys, values, mask, options):
    group = options.heads // options.kv_heads
    k = torch.cat(keys).repeat_interleave(group, dim=1)
    v = torch.cat(values).repeat_interleave(group, dim=1)
    scores = torch.einsum("thd,shd->hts", q, k) * options.head_dim**-0.5
    weights = torch.softmax(scores.masked_fill(~mask[None], float("-inf")), dim=-1)
    return torch.einsum("hts,shd->thd", weights, v).reshape(q.shape[0], -1)


def first_state(weights, batch, options):
    taps = batch.taps
    if options.fc_norm:
        parts = taps.chunk(options.taps, dim=-1)
        taps = torch.cat([rms_norm(x, weights[f"fc_norm.{i}.weight"], options.eps) for i, x in enumerate(parts)], -1)
    if options.norm_before_fc:
        taps = rms_norm(taps, weights["input_norm.weight"], options.eps)
    return taps @ weights["fc.weight"].T


def draft_logits(weights, batch, options, depths):
    """Logits [T, Vd] of every row at every depth."""
    layer = lambda name: weights[f"midlayer.{name}.weight"]
    starts, _ = starts_and_ends(batch)
    token = torch.arange(len(starts))
    position = token - torch.tensor(starts)
    frequencies = inverse_frequencies(options)
    state, keys, values, logits = first_state(weights, batch, options), [], [], []
    for depth in range(depths):
        embedded = batch.embedding[batch.input_ids[(token + 1 + depth).clamp(max=len(starts) - 1)]]
        normed = rms_norm(state, layer("hidden_norm"), options.eps)
        x = torch.cat([rms_norm(embedded, layer("input_layernorm"), options.eps), normed], dim=-1)
        q, k, v = (
            (x @ layer(f"self_attn.{name}_proj").T).reshape(len(starts), -1, options.head_dim) for name in "qkv"
        )
        keys.append(rotate(k, position + depth, frequencies))
        values.append(v)
        q = rotate(q, position + depth, frequencies)
        mixed = attention(q, keys, values, key_mask(batch, depth), options) @ layer("self_attn.o_proj").T
        middle = (normed if options.norm_before_residual else state) + mixed
        y = rms_norm(middle, layer("post_attention_layernorm"), options.eps)
        gated = F.silu(y @ layer("mlp.gate_proj").T) * (y @ layer("mlp.up_proj").T)
        after = middle + gated @ layer("mlp.down_proj").T
        out = rms_norm(after, weights["norm.weight"], options.eps)
        logits.append(out @ weights["lm_head.weight"].T)
        state = out if options.norm_output else after
    return logits


@dataclass
class Step:
    loss: torch.Tensor
    step_loss: list
    step_accuracy: list
    oov_share: list
    accept_probability: list
    supervised: list  # |S_k|
    in_vocabulary: list  # |C_k|
    right: torch.Tensor  # [K, T] bool: supervised and the draft's argmax is the teacher's
    smallest_gap: float  # between the best two logits, draft and teacher, over supervised rows


def gap(logits):
    best = logits.detach().topk(2, dim=-1).values
    return float((best[:, 0] - best[:, 1]).min()) if len(logits) else float("inf")


def mean_over(values, rows):
    return float(values[rows].detach().double().mean()) if bool(rows.any()) else 0.0


def ttt_step(weights, batch, options, depths, decay, normalize, step_rows=None):
    """One step; `step_rows` is n_k of the whole optimizer step when the batch is one of several micro-batches."""
    teacher = batch.last_hidden @ batch.lm_head.T
    in_draft = torch.zeros(batch.lm_head.shape[0], dtype=torch.bool)
    in_draft[batch.draft_ids] = True
    token = torch.arange(len(batch.input_ids))
    step = Step(torch.zeros((), dtype=torch.float64), [], [], [], [], [], [], None, float("inf"))
    right = []
    for depth, logits in enumerate(draft_logits(weights, batch, options, depths)):
        teacher_row = teacher[(token + 1 + depth).clamp(max=len(token) - 1)]
        wanted = teacher_row.argmax(-1)
        supervised = supervised_rows(batch, depth)
        counted = supervised & in_draft[wanted]
        p = torch.softmax(teacher_row[:, batch.draft_ids], dim=-1)
        row_loss = -(p * torch.log_softmax(logits, dim=-1)).sum(-1)
        rows = int(counted.sum())
        if normalize == "step":
            rows = int(supervised.sum()) if step_rows is None else step_rows[depth]
        if rows:
            step.loss = step.loss + decay**depth / rows * row_loss[counted].sum()
        chosen = batch.draft_ids[logits.argmax(-1)]
        right.append(supervised & (chosen == wanted))
        accepted = torch.softmax(teacher_row, dim=-1).gather(1, chosen[:, None])[:, 0]
        step.step_loss.append(mean_over(row_loss, counted))
        step.step_accuracy.append(mean_over(right[-1], supervised))
        step.oov_share.append(mean_over(~in_draft[wanted], supervised))
        step.accept_probability.append(mean_over(accepted, supervised))
        step.supervised.append(int(supervised.sum()))
        step.in_vocabulary.append(int(counted.sum()))
        step.smallest_gap = min(step.smallest_gap, gap(logits[supervised]), gap(teacher_row[supervised]))
    step.right = torch.stack(right)
    return step


def walk(batch, right, drafts):
    """Tokens kept and verify cycles when every span is walked from row a - 1 with chains of `drafts` tokens.

    A cycle at row t keeps the m tokens that are right in a row and one more, but nothing behind the span's end.
    """
    starts, _ = starts_and_ends(batch)
    tokens = cycles = 0
    for a, b in spans_of(batch):
        t = max(a - 1, starts[a])
        while t + 2 <= b:
            matched = 0
            while matched < drafts and bool(right[matched, t]):
                matched += 1
            kept = min(matched + 1, b - t - 1)
            tokens, cycles, t = tokens + kept, cycles + 1, t + matched + 1
    return tokens, cycles
