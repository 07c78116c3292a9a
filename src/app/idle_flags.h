// app/idle_flags.h: flags that can do nothing beside the others of their command: to give one is an error, as whoever
// gives it believes that it acts.
#pragma once
#include <string_view>
#include <vector>

#include "app/commands.h"

namespace eyrie {

struct IdleFlag {
  std::string_view key, why;
};

std::vector<IdleFlag> idle_flags(const TrainCommand&);
std::vector<IdleFlag> idle_flags(const GenerateCommand&);
std::vector<IdleFlag> idle_flags(const InspectCommand&);
std::vector<IdleFlag> idle_flags(const DataCommand&);

}  // namespace eyrie
