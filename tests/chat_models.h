// tests/chat_models.h: targets with a chat template of their own, and what the program makes of data for them.
#pragma once
#include <gtest/gtest.h>

#include <filesystem>

#include "program.h"

namespace eyrie::e2e {

namespace fs = std::filesystem;

// New names of fledgling's six special tokens: its weights serve any template then.
using Renames = std::vector<std::pair<std::string, std::string>>;
inline const Renames kChatmlTokens = {
    {"<|pad|>", "<|im_start|>"}, {"<|end|>", "<|im_end|>"}, {"<|system|>", "<think>"}, {"<|user|>", "</think>"}};

inline bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

class ChatModels : public ::testing::Test {
 protected:
  std::string path(const std::string& name) const { return directory_.file(name); }
  std::string file(const std::string& name, const std::string& text) const {
    testing::write_bytes(path(name), text);
    return path(name);
  }
  // A directory of its own: fledgling with this template.
  std::string model(const std::string& name, const std::string& chat_template, const Renames& renames = {}) const {
    fs::create_directory(path(name));
    for (const char* same : {"config.json", "generation_config.json"}) fs::copy(asset(same), path(name));
    fs::create_symlink(asset("model.safetensors"), path(name + "/model.safetensors"));
    std::string tokenizer = testing::read_bytes(asset("tokenizer.json")), bos = "<|bos|>", eos = "<|end|>";
    for (const auto& [from, to] : renames) {
      const std::string quoted = "\"" + from + "\"";
      for (size_t at = 0; (at = tokenizer.find(quoted, at)) != std::string::npos;)
        tokenizer.replace(at, quoted.size(), "\"" + to + "\"");
      if (bos == from) bos = to;
      if (eos == from) eos = to;
    }
    file(name + "/tokenizer.json", tokenizer);
    file(name + "/tokenizer_config.json",
         Json::object({{"chat_template", chat_template}, {"bos_token", bos}, {"eos_token", eos}}).dump());
    return path(name);
  }
  Outcome data(const std::string& file, const Arguments& more = {}, const std::string& model = kFledgling) const {
    return eyrie(Arguments{"data", file, "--model", model} + more);
  }
  Json figures(const std::string& file, const Arguments& more = {}, const std::string& model = kFledgling) const {
    const Outcome outcome = data(file, Arguments{"--json"} + more, model);
    EXPECT_EQ(outcome.status, 0) << outcome.error;
    return Json::parse(outcome.out, "eyrie data --json");
  }
  // The text of the first sequence, what is supervised in « ».
  std::string shown(const std::string& file, const Arguments& more = {}, const std::string& model = kFledgling) const {
    const Outcome outcome = data(file, Arguments{"--show", "1"} + more, model);
    EXPECT_EQ(outcome.status, 0) << outcome.error;
    const size_t begin = outcome.out.find('\n') + 1;
    return outcome.out.substr(begin, outcome.out.find("\n---\n") - begin);
  }
  Outcome plan(const std::string& data, const Arguments& more = {}, const std::string& model = kFledgling) const {
    return eyrie(Arguments{"train", "--model", model, "--data", data, "--plan", "--output", path("planned")} + more);
  }
  testing::TemporaryDirectory directory_;
};

}  // namespace eyrie::e2e
