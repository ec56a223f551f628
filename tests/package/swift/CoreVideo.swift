// Doubles of Core Video, as far as packages use it: rows are padded, as devices pad them.

import Foundation

public let kCVPixelFormatType_32BGRA: UInt32 = 0x4247_5241

public final class CVPixelBuffer {
  public let width: Int
  public let height: Int
  public let bytes: UnsafeMutableRawPointer

  init(_ width: Int, _ height: Int) {
    (self.width, self.height) = (width, height)
    bytes = .allocate(byteCount: height * (4 * width + 16), alignment: 16)
  }

  deinit { bytes.deallocate() }
}

public struct CVPixelBufferLockFlags: OptionSet {
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }
}

@discardableResult
public func CVPixelBufferCreate(
  _ allocator: Any?, _ width: Int, _ height: Int, _ format: UInt32, _ attributes: Any?,
  _ created: UnsafeMutablePointer<CVPixelBuffer?>
) -> Int32 {
  created.pointee = CVPixelBuffer(width, height)
  return 0
}

@discardableResult
public func CVPixelBufferLockBaseAddress(_ buffer: CVPixelBuffer, _ flags: CVPixelBufferLockFlags) -> Int32 { 0 }

@discardableResult
public func CVPixelBufferUnlockBaseAddress(_ buffer: CVPixelBuffer, _ flags: CVPixelBufferLockFlags) -> Int32 { 0 }

public func CVPixelBufferGetBaseAddress(_ buffer: CVPixelBuffer) -> UnsafeMutableRawPointer? { buffer.bytes }

public func CVPixelBufferGetBytesPerRow(_ buffer: CVPixelBuffer) -> Int { 4 * buffer.width + 16 }
