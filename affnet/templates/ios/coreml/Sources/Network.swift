import CoreML
import CoreVideo
import Foundation

/// The model in Core ML: a decoded picture in, named outputs out; for one thread at a time.
public final class Network {
  private let model: MLModel

  init(_ computeUnits: MLComputeUnits) async throws {
    let configuration = MLModelConfiguration()
    configuration.computeUnits = computeUnits
    model = try MLModel(contentsOf: try await compiled(), configuration: configuration)
  }

  /// Returns the outputs by name, without the axis of the batch, row by row.
  public func run(_ picture: Picture) throws -> [String: [Float]] {
    let given = try model.prediction(from: try input(toPixels(picture)))
    if let name = model.modelDescription.predictedProbabilitiesName {
      let scores = given.featureValue(for: name)?.dictionaryValue ?? [:]
      let named = Contract.labels.enumerated().map { index, label in
        (scores[label] ?? scores[NSNumber(value: index)])?.floatValue ?? 0
      }
      return [Contract.outputNames[0]: named]
    }
    var outputs: [String: [Float]] = [:]
    for name in Contract.outputNames {
      guard let array = given.featureValue(for: name)?.multiArrayValue else {
        throw CocoaError(.featureUnsupported)
      }
      outputs[name] = MLShapedArray<Float>(converting: array).scalars
    }
    return outputs
  }

  private func input(_ pixels: Pixels) throws -> MLFeatureProvider {
    let value: MLFeatureValue
    if Contract.takesPictures {
      value = MLFeatureValue(pixelBuffer: try pixelBuffer(pixels))
    } else {
      let array = MLShapedArray<Float>(scalars: toTensor(pixels), shape: Contract.inputShape)
      value = MLFeatureValue(multiArray: MLMultiArray(array))
    }
    return try MLDictionaryFeatureProvider(dictionary: [Contract.inputName: value])
  }
}

/// Returns the compiled model, which is kept in the folder of caches.
private func compiled() async throws -> URL {
  let files = FileManager.default
  let caches = try files.url(for: .cachesDirectory, in: .userDomainMask, appropriateFor: nil, create: true)
  let kept = caches.appendingPathComponent("\(Contract.sha256).mlmodelc")
  if files.fileExists(atPath: kept.path) { return kept }
  guard let package = Bundle.module.url(forResource: Contract.model, withExtension: nil) else {
    throw CocoaError(.fileNoSuchFile)
  }
  let made = try await MLModel.compileModel(at: package)
  do {
    try files.moveItem(at: made, to: kept)
  } catch {
    return files.fileExists(atPath: kept.path) ? kept : made  // another compiled it in the meantime
  }
  return kept
}

/// Returns pixels as Core ML takes a picture.
private func pixelBuffer(_ pixels: Pixels) throws -> CVPixelBuffer {
  var created: CVPixelBuffer?
  CVPixelBufferCreate(nil, pixels.width, pixels.height, kCVPixelFormatType_32BGRA, nil, &created)
  guard let buffer = created else { throw CocoaError(.featureUnsupported) }
  CVPixelBufferLockBaseAddress(buffer, [])
  defer { CVPixelBufferUnlockBaseAddress(buffer, []) }
  guard let base = CVPixelBufferGetBaseAddress(buffer) else { throw CocoaError(.featureUnsupported) }
  let bytes = base.assumingMemoryBound(to: UInt8.self)
  let rowBytes = CVPixelBufferGetBytesPerRow(buffer)
  for y in 0..<pixels.height {
    for x in 0..<pixels.width {
      let from = 3 * (y * pixels.width + x)
      let to = y * rowBytes + 4 * x
      for channel in 0..<3 { bytes[to + channel] = pixels.rgb[from + 2 - channel] }
      bytes[to + 3] = 255
    }
  }
  return buffer
}
