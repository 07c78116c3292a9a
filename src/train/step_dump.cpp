#include "train/step_dump.h"

#include <filesystem>

#include "io/atomic_dir.h"
#include "io/json.h"

namespace eyrie {

void write_step_dump(const std::string& directory, const StepDump& dump) {
  AtomicDirectory output(directory);
  const auto depths = static_cast<int64_t>(dump.rule.step_rows.size());
  std::vector<NamedTensor> extra = {{"n_k", {dump.rule.step_rows.data(), DType::i64, {depths}}},
                                    {"target.lm_head.weight", dump.heads.lm_head}};
  if (!dump.draft.own_embedding) extra.push_back({"target.embed_tokens.weight", dump.draft.embedding});
  write_features(output.path() + "/batch.safetensors", {dump.tokens, dump.taps, dump.last_hidden, std::move(extra)},
                 dump.info);
  std::filesystem::create_directory(output.path() + "/draft");
  write_draft(output.path() + "/draft", {.config = dump.draft.config,
                                         .tensors = dump.draft.tensors,
                                         .vocabulary = dump.draft.vocabulary,
                                         .embedding = dump.draft.own_embedding ? dump.draft.embedding : ConstTensor(),
                                         .dtype = DType::f32,
                                         .reader = ""});
  const Json step = Json::object({{"step", dump.step},
                                  {"ttt_steps", depths},
                                  {"loss_decay", dump.rule.decay},
                                  {"normalize", std::string(name(dump.rule.normalize))},
                                  {"attention", dump.attention},
                                  {"loss", dump.loss},
                                  {"grad_norm", dump.grad_norm}});
  write_file_atomically(output.path() + "/step.json", step.dump(2) + "\n");
  output.commit();
}

}  // namespace eyrie
