// Pictures from Apple's systems: images, and the bytes of files.

import CoreGraphics
import Foundation
import ImageIO

private let maxPixels = 100_000_000  // a small file may declare any size
private let maxRatio = 250  // of the sides: resized by the shorter one, a strip fills the memory
private let animations = ["com.compuserve.gif", "public.png", "org.webmproject.webp"]

/// A picture that cannot be used; its description is one sentence.
public struct PictureError: LocalizedError {
  public let errorDescription: String?
}

extension Picture {
  /// Takes an image's colors as they are stored, whatever color profile it has.
  public init(_ image: CGImage) throws {
    try checkSize(image.width, image.height, "The image")
    let rgb = image.colorSpace.flatMap { $0.model == .rgb ? $0 : nil } ?? CGColorSpaceCreateDeviceRGB()
    var bytes = [UInt8](repeating: 0, count: 4 * image.width * image.height)
    let drawn = bytes.withUnsafeMutableBytes { buffer -> Bool in
      let context = CGContext(
        data: buffer.baseAddress, width: image.width, height: image.height, bitsPerComponent: 8,
        bytesPerRow: 4 * image.width, space: rgb, bitmapInfo: CGImageAlphaInfo.premultipliedLast.rawValue)
      context?.draw(image, in: CGRect(x: 0, y: 0, width: image.width, height: image.height))
      return context != nil
    }
    if !drawn { throw PictureError(errorDescription: "The image cannot be read.") }
    self.init(width: image.width, height: image.height, rgba: divided(bytes))
  }

  /// Decodes a file, and turns it upright if the contract says so; `name` begins an error's sentence.
  public init(_ file: Data, name: String = "The picture") throws {
    guard let source = CGImageSourceCreateWithData(file as CFData, nil), CGImageSourceGetCount(source) > 0 else {
      throw PictureError(errorDescription: "\(name) is not an image.")
    }
    let properties = CGImageSourceCopyPropertiesAtIndex(source, 0, nil) as? [CFString: Any] ?? [:]
    let width = properties[kCGImagePropertyPixelWidth] as? Int ?? 0
    let height = properties[kCGImagePropertyPixelHeight] as? Int ?? 0
    try checkSize(width, height, name)
    let type = CGImageSourceGetType(source) as String? ?? ""
    if animations.contains(type), CGImageSourceGetCount(source) > 1 {
      throw PictureError(errorDescription: "\(name) is animated; give a single picture.")
    }
    guard let image = CGImageSourceCreateImageAtIndex(source, 0, nil),
      CGImageSourceGetStatusAtIndex(source, 0) == .statusComplete
    else { throw PictureError(errorDescription: "\(name) cannot be decoded.") }
    let picture = try Picture(image)
    let orientation = properties[kCGImagePropertyOrientation] as? Int ?? 1
    self = Contract.exifOrientation ? picture.turned(orientation) : picture
  }
}

/// Divides colors by their alpha, which Core Graphics multiplied them by.
private func divided(_ bytes: [UInt8]) -> [UInt8] {
  var found = bytes
  for at in stride(from: 0, to: bytes.count, by: 4) {
    let alpha = Int(bytes[at + 3])
    if alpha == 0 || alpha == 255 { continue }
    for channel in 0..<3 { found[at + channel] = UInt8(min(255, (Int(bytes[at + channel]) * 255 + alpha / 2) / alpha)) }
  }
  return found
}

private func checkSize(_ width: Int, _ height: Int, _ name: String) throws {
  if width < 1 || height < 1 { throw PictureError(errorDescription: "\(name) has no pixels.") }
  if width > maxPixels / height {
    throw PictureError(errorDescription: "\(name) has too many pixels to be decoded.")
  }
  if max(width, height) > maxRatio * min(width, height) {
    throw PictureError(errorDescription: "\(name) is more than \(maxRatio) times as long as it is wide.")
  }
}
