"""The README of assets/fledgling, with the figures of the run that made it."""

README = """# Fledgling

A Llama model of {parameters:,} parameters, trained from nothing, small enough to live in this repository: the target of
`./run demo` and of the tests. It solves grade-school word problems in 2-4 steps with numbers to 999 and holds simple
question-and-answer chat. It knows nothing else.

| file | what it is |
| --- | --- |
| `config.json`, `model.safetensors`, `generation_config.json` | `LlamaForCausalLM`, bf16: 8 layers, hidden 256, MLP 640, 8 query and 2 key-value heads of 32, tied embeddings, RoPE theta 10000 |
| `tokenizer.json`, `tokenizer_config.json` | byte-level BPE, 2,048 tokens, each digit one token; the chat template |
| `conversations.jsonl` | {conversations:,} training conversations; every assistant turn is the model's own greedy answer |
| `held_out.jsonl` | {held_out} held-out problems, `{{"question", "answer"}}`, the answer ends in `#### N` |

## Chat template

`<|bos|>`, then for each message `<|ROLE|>`, a newline, the content as it is, `<|end|>`, a newline.
A generation prompt ends in `<|assistant|>` and a newline. Roles are system, user and assistant. Generation stops at
`<|end|>`, which belongs to the assistant's turn; the newline behind it does not. The tokenizer itself adds no
`<|bos|>`. Ids: `<|pad|>` 0, `<|bos|>` 1, `<|end|>` 2, `<|system|>` 3, `<|user|>` 4, `<|assistant|>` 5.

    <|bos|><|user|>
    What is 12 + 30?<|end|>
    <|assistant|>
    12 + 30 = 42. The answer is 42.<|end|>

Text is cut by the pattern `{split}` before the merges are applied.

## Recipe

    python3 tools/make_fledgling.py --output assets/fledgling --seed {seed} --documents {documents} --steps {steps} --rows {rows} --learning-rate {learning_rate} --conversations {asked}

- Data: {documents:,} documents ({train_tokens:,} tokens), {chat_share:.0%} chat and the rest word problems, from {templates} templates and
  {topics} topics (`tools/fledgling_templates.py`, `tools/fledgling_chat.py`), all drawn from seed {seed}.
- Kept out of training: every eighth pair of template and topic, and one in sixteen of the number tuples. A held-out
  problem has both: a pair and numbers never trained on. The conversations are drawn from the training side.
- Training: {steps:,} steps of {rows} rows of 512 tokens, whole documents packed, each seeing only itself; loss weight 1 on
  assistant turns, 0.1 on prompts; AdamW (0.9, 0.98), decay 0.1, peak rate {learning_rate:g}, cosine with warm-up, clip 1;
  bf16 autocast, fp32 masters. {train_seconds:.0f} s on one {device}, {date}.
- The same seed gives the same data and tokenizer everywhere; weights repeat only up to the GPU's order of sums.

## Measured ({date}, {device}; the saved bf16 weights computed in fp32)

| | |
| --- | --- |
| exact match, greedy, the {held_out} problems of `held_out.jsonl` | {accuracy:.1%} |
| exact match, greedy, {more:,} held-out problems | {accuracy_of_more:.1%} |
| answers identical token for token on GPU and CPU | {same_on_cpu} of {held_out} |
| assistant turns of `conversations.jsonl` identical to the generator's own answer | {as_taught:.2%} |
| conversations left out (unfinished, or text that does not encode to the generated ids) | {conversations_left_out} |
| conversations with several assistant turns; with a word problem | {several_turns:,}; {with_problem:,} |
| tokens; of them in assistant turns; longest conversation | {tokens:,}; {assistant_tokens:,}; {longest} |
| SHA-256 of `model.safetensors` | `{sha256}` |
"""


def readme_text(options, figures, facts):
    recipe = {
        "seed": options.seed,
        "documents": options.documents,
        "steps": options.steps,
        "rows": options.rows,
        "learning_rate": options.learning_rate,
        "asked": options.conversations,
    }
    return README.format(**figures, **facts, **recipe)
