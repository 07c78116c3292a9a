// app/output.h: what a command may write, and write over. Checked before its work begins.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace eyrie {

// A directory that a command replaces as a whole: absent, or one that holds files of `own_names` alone; # in a name
// stands for a number of five digits or more. Error{usage} names the entry that would be lost.
void expect_replaceable(const std::string& directory, const std::vector<std::string_view>& own_names);

// An output that is no input of the same command: none of these files and directories (empty: not given), nor a file in
// one of the directories that a model or a draft may be read from. Error{usage} names the input.
void expect_not_an_input(const std::string& output, const std::vector<std::string>& inputs);

// A file that a command writes once its work is done: Error{file} before the work if that cannot be.
void expect_writable(const std::string& path);

}  // namespace eyrie
