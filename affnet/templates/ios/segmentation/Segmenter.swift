import CoreGraphics
import CoreML

/// A class that occurs in a picture.
public struct Share: Sendable {
  public let name: String
  public let share: Float  // of the picture, 0...1
  public let index: Int  // of the class
}

/// The class of each pixel of a picture.
public struct Mask: Sendable {
  public let width: Int  // of the picture
  public let height: Int
  public let classes: [Int]  // row by row
  public let shares: [Share]  // the largest first
}

/// Segments pictures; make one and keep it.
public final class Segmenter {
  public let network: Network

  public init(computeUnits: MLComputeUnits? = nil) async throws {
    network = try await Network(computeUnits ?? Contract.computeUnits)
  }

  /// Returns the class of each pixel of an image, at the image's own size.
  public func segment(_ image: CGImage) throws -> Mask { try segment(Picture(image)) }

  /// Returns the class of each pixel of a picture, at the picture's own size.
  public func segment(_ picture: Picture) throws -> Mask {
    let outputs = try network.run(picture)
    let places = Contract.cropWidth * Contract.cropHeight
    let small = outputs["classes"].map { $0.map { Int($0) } } ?? best(outputs["scores"] ?? [], places)
    let counts = Dictionary(small.map { ($0, 1) }, uniquingKeysWith: +)
    let order = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
    let shares = order.map { index, count in
      Share(name: Contract.label(index), share: Float(count) / Float(places), index: index)
    }
    let classes = nearest(
      small, width: Contract.cropWidth, height: Contract.cropHeight,
      toWidth: picture.width, toHeight: picture.height)
    return Mask(width: picture.width, height: picture.height, classes: classes, shares: shares)
  }
}

/// Returns the best class of each place; scores are class by class.
private func best(_ scores: [Float], _ places: Int) -> [Int] {
  var found = [Int](repeating: 0, count: places)
  for at in stride(from: places, to: scores.count, by: 1) {
    let place = at % places
    if scores[at] > scores[found[place] * places + place] { found[place] = at / places }
  }
  return found
}
