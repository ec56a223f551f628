// Runs a package for iOS on Linux, as `tests.package.linux_swift` asks by lines on stdin: the file of
// a picture, and the file of what the network gives.  With GOLDEN, such a file, it runs XCTest, which
// reads arguments itself.

import Foundation
import Recording
import XCTest

@testable import PACKAGE

func outputsIn(_ file: String) throws -> [[Float]] {
  let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: file)))
  var at = 0
  func number() -> UInt32 {
    defer { at += 4 }
    return bytes[at..<(at + 4)].reduce(0) { $0 << 8 | UInt32($1) }
  }
  return (0..<number()).map { _ in (0..<number()).map { _ in Float(bitPattern: number()) } }
}

func checksum(_ bytes: [UInt8]) -> UInt32 {
  var sum: UInt32 = 0xffff_ffff
  for byte in bytes {
    sum ^= UInt32(byte)
    for _ in 0..<8 { sum = sum & 1 == 1 ? sum >> 1 ^ 0xedb8_8320 : sum >> 1 }
  }
  return ~sum
}

func big(_ value: UInt32) -> [UInt8] { [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) } }

func record(_ file: String) throws {
  Recorded.outputs = Array(zip(Contract.outputNames, try outputsIn(file)))
  Recorded.labels = Contract.takesPictures && !Contract.rows ? Contract.labels : []
}

func answers() async throws {
  let model = try await CLASS()
  while let line = readLine() {
    let parts = line.split(separator: "\t").map(String.init)
    try record(parts[1])
    do {
      let picture = try Picture(try Data(contentsOf: URL(fileURLWithPath: parts[0])))
      let pixels = checksum(toPixels(picture).rgb)
      let found = ANSWER
      let input = checksum(Recorded.input.flatMap { big($0.bitPattern) })
      print("[\(pixels), \(input), \(found)]")
    } catch let error as PictureError {
      print("\"\(error.localizedDescription)\"")
    }
  }
}

if let outputs = ProcessInfo.processInfo.environment["GOLDEN"] {
  try record(outputs)
  XCTMain([
    testCase([
      ("pixels", GoldenTests.testPixelsAreTheSameToTheLastBit),
    ]),
    testCase([
      ("outputs", asyncTest(GoldenTests.testOutputsAndAnswerAreTheSame)),
    ]),
  ])
}
try await answers()
