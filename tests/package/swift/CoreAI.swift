// Doubles of Core AI, as far as packages use it: a model gives what was recorded.  Signatures are those of Apple's
// documentation (developer.apple.com/documentation/coreai); where it leaves open whether a type can be copied, it cannot.

import Foundation
import Recording

public enum ComputeUnitKind: Sendable { case cpu, gpu, neuralEngine }

public struct SpecializationOptions: Sendable {
  public static let `default` = SpecializationOptions()
  public static let cpuOnly = SpecializationOptions()
  public init(preferredComputeUnitKind: ComputeUnitKind) {}
  private init() {}
}

public struct AIModel: Sendable {
  public init(contentsOf modelURL: URL, options: SpecializationOptions = .default) async throws {
    guard FileManager.default.fileExists(atPath: modelURL.path) else { throw CocoaError(.fileNoSuchFile) }
  }

  public func loadFunction(named functionName: String) throws -> InferenceFunction? {
    functionName == "main" ? InferenceFunction() : nil
  }
}

public struct InferenceFunction: Sendable {
  public struct MutableViews: ~Copyable {
    public init() {}
  }

  public struct Outputs: ~Copyable {
    var arrays: [String: NDArray]
    public mutating func remove(_ name: String) -> InferenceValue? {
      arrays.removeValue(forKey: name).map { InferenceValue(ndArray: $0) }
    }
  }

  public func run(
    inputs: [String: NDArray], states: consuming MutableViews = MutableViews(),
    outputViews: consuming MutableViews = MutableViews()
  ) async throws -> Outputs {
    guard let image = inputs["image"] else { throw CocoaError(.featureUnsupported) }
    Recorded.input = image.bytes.withUnsafeBytes { [Float]($0.bindMemory(to: Float.self)) }
    let arrays = Recorded.outputs.map { name, values in
      name == "classes" ? (name, NDArray(apart: values.map { Int32($0) })) : (name, NDArray(apart: values))
    }
    return Outputs(arrays: Dictionary(uniqueKeysWithValues: arrays))
  }
}

public struct InferenceValue: ~Copyable {
  public let ndArray: NDArray?
}

public struct NDArray: Sendable {
  public enum ScalarType: Sendable { case float16, float32, int8, int32, uint8 }

  public let shape: [Int]
  public let scalarType: ScalarType
  public let strides: [Int]
  let bytes: [UInt8]

  public init<Scalar: BitwiseCopyable>(scalars: some Sequence<Scalar>, shape: [Int]) {
    let values = Array(scalars)
    precondition(values.count == shape.reduce(1, *))
    let strides = shape.indices.map { shape[($0 + 1)...].reduce(1, *) }
    self.init(values, shape, strides)
  }

  /// An array whose rows have gaps between them, as the preferred strides of a device may.
  init<Scalar: BitwiseCopyable>(apart values: [Scalar]) {
    let rows = values.count % 2 == 0 ? 2 : 1
    let columns = values.count / rows
    let gap = repeatElement(values.last, count: 3).compactMap { $0 }
    let laid = (0..<rows).flatMap { Array(values[($0 * columns)..<(($0 + 1) * columns)]) + gap }
    self.init(laid, [1, rows, columns], [laid.count, columns + gap.count, 1])
  }

  private init<Scalar: BitwiseCopyable>(_ laid: [Scalar], _ shape: [Int], _ strides: [Int]) {
    (self.shape, self.strides) = (shape, strides)
    scalarType = Scalar.self == Float.self ? .float32 : .int32
    bytes = laid.withUnsafeBytes { Array($0) }
  }

  public func view<T: BitwiseCopyable>(as type: T.Type = T.self) -> View<T> {
    precondition(scalarType == (T.self == Float.self ? .float32 : .int32))
    return View(array: self)
  }

  public struct View<Element: BitwiseCopyable> {
    let array: NDArray

    public func withUnsafePointer<R, E: Error>(
      _ body: (UnsafePointer<Element>, Span<Int>, Span<Int>) throws(E) -> R
    ) throws(E) -> R {
      let copy = UnsafeMutableRawPointer.allocate(byteCount: array.bytes.count, alignment: 16)
      defer { copy.deallocate() }
      copy.copyMemory(from: array.bytes, byteCount: array.bytes.count)
      let first = UnsafePointer(copy.assumingMemoryBound(to: Element.self))
      return try body(first, Span(elements: array.shape), Span(elements: array.strides))
    }
  }
}

/// Swift's own of 6.2, which is no sequence.
public struct Span<Element> {
  let elements: [Element]
  public var count: Int { elements.count }
  public subscript(position: Int) -> Element { elements[position] }
}
