// Doubles of Core ML, as far as packages use it: a model gives what was recorded.

import CoreVideo
import Foundation
import Recording

public enum MLComputeUnits: Sendable { case all, cpuOnly, cpuAndGPU, cpuAndNeuralEngine }

public final class MLModelConfiguration {
  public var computeUnits = MLComputeUnits.all
  public init() {}
}

public struct MLShapedArray<Scalar> {
  public let scalars: [Scalar]

  public init(scalars: [Scalar], shape: [Int]) {
    precondition(scalars.count == shape.reduce(1, *))
    self.scalars = scalars
  }
}

extension MLShapedArray where Scalar == Float {
  public init(converting array: MLMultiArray) { scalars = array.values }
}

public final class MLMultiArray {
  let values: [Float]
  init(values: [Float]) { self.values = values }
  public init(_ array: MLShapedArray<Float>) { values = array.scalars }
}

public final class MLFeatureValue {
  public let multiArrayValue: MLMultiArray?
  public let dictionaryValue: [AnyHashable: NSNumber]
  let buffer: CVPixelBuffer?

  public init(multiArray: MLMultiArray) {
    (multiArrayValue, dictionaryValue, buffer) = (multiArray, [:], nil)
  }

  public init(pixelBuffer: CVPixelBuffer) {
    (multiArrayValue, dictionaryValue, buffer) = (nil, [:], pixelBuffer)
  }

  init(scores: [AnyHashable: NSNumber]) {
    (multiArrayValue, dictionaryValue, buffer) = (nil, scores, nil)
  }

  /// Numbers as a model takes them: of a buffer blue, green, red.
  var taken: [Float] {
    guard let buffer else { return multiArrayValue?.values ?? [] }
    let bytes = buffer.bytes.assumingMemoryBound(to: UInt8.self)
    return (0..<(3 * buffer.width * buffer.height)).map { at in
      let (place, channel) = (at / 3, at % 3)
      let row = place / buffer.width * CVPixelBufferGetBytesPerRow(buffer)
      return Float(bytes[row + 4 * (place % buffer.width) + 2 - channel])
    }
  }
}

public protocol MLFeatureProvider {
  func featureValue(for featureName: String) -> MLFeatureValue?
}

public final class MLDictionaryFeatureProvider: MLFeatureProvider {
  let values: [String: MLFeatureValue]
  public init(dictionary: [String: Any]) throws { values = dictionary as? [String: MLFeatureValue] ?? [:] }
  public func featureValue(for featureName: String) -> MLFeatureValue? { values[featureName] }
}

public final class MLModelDescription {
  public var predictedProbabilitiesName: String? { Recorded.labels.isEmpty ? nil : "classLabel_probs" }
}

public final class MLModel {
  public let modelDescription = MLModelDescription()

  public init(contentsOf url: URL, configuration: MLModelConfiguration) throws {
    guard FileManager.default.fileExists(atPath: url.path) else { throw CocoaError(.fileNoSuchFile) }
  }

  public static func compileModel(at url: URL) async throws -> URL {
    let made = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.copyItem(at: url, to: made)
    return made
  }

  public func prediction(from input: MLFeatureProvider) throws -> MLFeatureProvider {
    Recorded.input = input.featureValue(for: "image")?.taken ?? []
    if !Recorded.labels.isEmpty {
      let scores = zip(Recorded.labels, Recorded.outputs[0].values).map { (AnyHashable($0), NSNumber(value: $1)) }
      let value = MLFeatureValue(scores: Dictionary(uniqueKeysWithValues: scores))
      return try MLDictionaryFeatureProvider(dictionary: ["classLabel_probs": value])
    }
    let values = Recorded.outputs.map { ($0.name, MLFeatureValue(multiArray: MLMultiArray(values: $0.values))) }
    return try MLDictionaryFeatureProvider(dictionary: Dictionary(uniqueKeysWithValues: values))
  }
}
