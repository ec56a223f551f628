import CoreAI
import Foundation

/// The model in Core AI: a decoded picture in, named outputs out; for any number of tasks at once.
///
/// Written after Apple's documentation (developer.apple.com/documentation/coreai) and Apple's own use of the
/// framework (github.com/apple/coreai-models, commit 86b363d).
public final class Network: Sendable {
  private let function: InferenceFunction

  init(_ computeUnits: SpecializationOptions) async throws {
    guard let file = Bundle.module.url(forResource: Contract.model, withExtension: nil) else {
      throw CocoaError(.fileNoSuchFile)
    }
    let model = try await AIModel(contentsOf: file, options: computeUnits)
    guard let main = try model.loadFunction(named: "main") else { throw CocoaError(.featureUnsupported) }
    function = main
  }

  /// Returns the outputs by name, without the axis of the batch, row by row.
  public func run(_ picture: Picture) async throws -> [String: [Float]] {
    let input = NDArray(scalars: toTensor(toPixels(picture)), shape: Contract.inputShape)
    var given = try await function.run(inputs: [Contract.inputName: input])
    var outputs: [String: [Float]] = [:]
    for name in Contract.outputNames {
      guard let array = given.remove(name)?.ndArray else { throw CocoaError(.featureUnsupported) }
      outputs[name] = try values(of: array)
    }
    return outputs
  }
}

private func values(of array: NDArray) throws -> [Float] {
  switch array.scalarType {
  case .float32: return rowByRow(array, Float.self)
  case .int32: return rowByRow(array, Int32.self).map { Float($0) }
  default: throw CocoaError(.featureUnsupported)
  }
}

/// Returns the values of an array in the order of its shape: Core AI may leave gaps between rows.
private func rowByRow<Scalar: BitwiseCopyable>(_ array: NDArray, _ type: Scalar.Type) -> [Scalar] {
  array.view(as: type).withUnsafePointer { first, shape, strides in
    var places = [0]
    for axis in 0..<shape.count {
      let (count, stride) = (shape[axis], strides[axis])
      places = places.flatMap { place in (0..<count).map { place + $0 * stride } }
    }
    return places.map { first[$0] }
  }
}
