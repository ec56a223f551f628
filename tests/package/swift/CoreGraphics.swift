// Doubles of Core Graphics, as far as packages use it: an image has its bytes.

import Foundation

public enum CGColorSpaceModel { case rgb, monochrome }

public final class CGColorSpace {
  public let model = CGColorSpaceModel.rgb
}

public func CGColorSpaceCreateDeviceRGB() -> CGColorSpace { CGColorSpace() }

public enum CGImageAlphaInfo: UInt32 { case premultipliedLast = 1 }

public final class CGImage {
  public let width: Int
  public let height: Int
  public let colorSpace: CGColorSpace? = CGColorSpace()
  let rgba: [UInt8]

  public init(width: Int, height: Int, rgba: [UInt8]) {
    (self.width, self.height, self.rgba) = (width, height, rgba)
  }
}

public final class CGContext {
  let data: UnsafeMutableRawPointer

  public init?(
    data: UnsafeMutableRawPointer?, width: Int, height: Int, bitsPerComponent: Int, bytesPerRow: Int,
    space: CGColorSpace, bitmapInfo: UInt32
  ) {
    guard let data, bytesPerRow == 4 * width else { return nil }
    self.data = data
  }

  public func draw(_ image: CGImage, in rect: CGRect) {
    let bytes = data.assumingMemoryBound(to: UInt8.self)
    for (at, value) in image.rgba.enumerated() {
      let alpha = at % 4 == 3 ? 255 : Int(image.rgba[at / 4 * 4 + 3])
      bytes[at] = UInt8((Int(value) * alpha + 127) / 255)
    }
  }
}
