import CoreGraphics
import CoreML
import Foundation

/// A class that a picture may be of.
public struct Label: Sendable {
  public let name: String
  public let score: Float  // 0...1; those of all classes add up to 1
  public let index: Int  // of the class
}

/// Classifies pictures; make one and keep it.
public final class Classifier {
  public let network: Network

  public init(computeUnits: MLComputeUnits? = nil) async throws {
    network = try await Network(computeUnits ?? Contract.computeUnits)
  }

  /// Returns the best classes of an image, the best first.
  public func classify(_ image: CGImage, top: Int = 5) throws -> [Label] {
    try classify(Picture(image), top: top)
  }

  /// Returns the best classes of a picture, the best first.
  public func classify(_ picture: Picture, top: Int = 5) throws -> [Label] {
    let given = try network.run(picture)[Contract.outputNames[0]] ?? []
    let scores = Contract.logits ? softmax(given[...], exp: exp) : given
    let order = scores.indices.sorted { (scores[$1], $0) < (scores[$0], $1) }  // of equal scores the lower class
    return order.prefix(top).map { Label(name: Contract.label($0), score: scores[$0], index: $0) }
  }
}
