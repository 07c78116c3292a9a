// app/report.h: the demo's result as one self-contained HTML page: no script, no outside resource.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace eyrie {

struct CurvePoint {
  int64_t step;
  std::vector<double> by_depth;  // [K]
};

struct AnswerPiece {
  std::string text;  // UTF-8; one token, or the bytes of several that make whole characters
  bool from_draft;   // an accepted draft token
};

struct Report {
  std::string title, summary;
  std::vector<std::pair<std::string, std::string>> table;  // label, value
  std::vector<CurvePoint> loss, accuracy;                  // accuracy in 0 .. 1
  std::vector<int64_t> accepted;                           // verify steps that kept 1, 2, … n+1 tokens
  std::string question;
  std::vector<AnswerPiece> answer;
};

std::string render_report(const Report& report);

}  // namespace eyrie
