import CoreGraphics
import CoreML
import Foundation

/// An object.
public struct Detection: Sendable {
  public let name: String
  public let score: Float  // 0...1
  public let box: CGRect  // in pixels of the picture, from the left and from the top
  public let index: Int  // of the class
}

/// Finds objects in pictures; make one and keep it.
public final class Detector {
  public let network: Network

  public init(computeUnits: MLComputeUnits? = nil) async throws {
    network = try await Network(computeUnits ?? Contract.computeUnits)
  }

  /// Returns the objects in an image whose score reaches a threshold, the best first.
  public func detect(_ image: CGImage, threshold: Float = 0.3) throws -> [Detection] {
    try detect(Picture(image), threshold: threshold)
  }

  /// Returns the objects in a picture whose score reaches a threshold, the best first.
  public func detect(_ picture: Picture, threshold: Float = 0.3) throws -> [Detection] {
    return found(in: try network.run(picture)).filter { $0.score >= threshold && $0.score > 0 }.map { one in
      let sides = [picture.width, picture.height]
      let places = (0..<4).map { CGFloat(min(max(one.corners[$0], 0), 1) * Float(sides[$0 % 2])) }
      let box = CGRect(x: places[0], y: places[1], width: places[2] - places[0], height: places[3] - places[1])
      return Detection(name: Contract.label(one.index), score: one.score, box: box, index: one.index)
    }
  }
}

private struct Found {
  let score: Float
  let index: Int
  let corners: [Float]  // as fractions
}

private func found(in outputs: [String: [Float]]) -> [Found] {
  if let coordinates = outputs["coordinates"] { return rows(outputs["confidence"] ?? [], coordinates) }
  let boxes = outputs["boxes"] ?? []
  let scores = outputs["scores"] ?? []
  return outputs["classes"].map { classes in
    scores.indices.map { Found(score: scores[$0], index: Int(classes[$0]), corners: corners(boxes, $0)) }
  } ?? suppressed(boxes, scores)
}

/// Of Core ML's own suppression, a row for each object: confidences without the background's, center and size.
private func rows(_ confidence: [Float], _ coordinates: [Float]) -> [Found] {
  let count = coordinates.count / 4
  let columns = confidence.count / max(count, 1)
  let found = (0..<count).map { row in
    let shares = confidence[(row * columns)..<((row + 1) * columns)]
    let best = shares.indices.max { shares[$0] < shares[$1] } ?? shares.startIndex
    let (x, y) = (coordinates[4 * row], coordinates[4 * row + 1])
    let (width, height) = (coordinates[4 * row + 2] / 2, coordinates[4 * row + 3] / 2)
    return Found(
      score: shares[best], index: best - shares.startIndex + 1, corners: [x - width, y - height, x + width, y + height])
  }
  return bestFirst(found)
}

private func corners(_ boxes: [Float], _ at: Int) -> [Float] { Array(boxes[(4 * at)..<(4 * at + 4)]) }

/// Drops boxes that overlap a better one of their class, as affnet's decoder does.
private func suppressed(_ boxes: [Float], _ scores: [Float]) -> [Found] {
  let anchors = boxes.count / 4
  let classes = scores.count / max(anchors, 1)
  let shares = (0..<anchors).map { softmax(scores[($0 * classes)..<(($0 + 1) * classes)], exp: exp) }
  var found: [Found] = []
  for index in stride(from: 1, to: classes, by: 1) {
    var kept: [Found] = []
    let order = (0..<anchors).sorted { (shares[$1][index], $0) < (shares[$0][index], $1) }
    for at in order.prefix(Contract.candidates) {
      let one = Found(score: shares[at][index], index: index, corners: corners(boxes, at))
      if !(one.score > Contract.scoreThreshold) { break }
      let over = kept.contains { overlap(one.corners, $0.corners) > Contract.iouThreshold }
      if !over { kept.append(one) }
    }
    found += kept
  }
  return Array(bestFirst(found).prefix(Contract.detections))
}

private func bestFirst(_ found: [Found]) -> [Found] {
  found.indices.sorted { (found[$1].score, $0) < (found[$0].score, $1) }.map { found[$0] }
}

private func area(_ box: [Float]) -> Float { (box[2] - box[0]) * (box[3] - box[1]) }

private func overlap(_ a: [Float], _ b: [Float]) -> Float {
  let width = max(0, min(a[2], b[2]) - max(a[0], b[0]))
  let height = max(0, min(a[3], b[3]) - max(a[1], b[1]))
  let common = width * height
  let union = area(a) + area(b) - common
  return common / (union > 0 ? union : 1)
}
