// `eyrie data`, and the flags of the chat template: what they say of data before anything is trained.
#include <fmt/core.h>

#include "chat_models.h"
#include "data/features.h"

namespace eyrie::e2e {
namespace {

using testing::read_bytes;

using DataCommand = ChatModels;

// Fledgling's own template and, before the conversation, the day.
const std::string kTurns =
    "{% for m in messages %}{{ '<|' ~ m.role ~ '|>\n' ~ m.content ~ '<|end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}";
const std::string kDated = "{{ bos_token }}{{ strftime_now('%d %b %Y') }}{{ greeting }}\n" + kTurns;
const std::string kHi = R"({"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes."}]})"
                        "\n";

}  // namespace
}  // namespace eyrie::e2e
