// Doubles of Image I/O, as far as packages use it.  A file is "RGBA", width, height, orientation
// and the count of its pictures, each of 4 bytes from the highest on, and the colors.

import CoreGraphics
import Foundation

public typealias CFData = Data
public typealias CFDictionary = [AnyHashable: Any]
public typealias CFString = String

public let kCGImagePropertyPixelWidth = "width"
public let kCGImagePropertyPixelHeight = "height"
public let kCGImagePropertyOrientation = "orientation"

public enum CGImageSourceStatus { case statusComplete, statusIncomplete }

public final class CGImageSource {
  let numbers: [Int]
  let rgba: [UInt8]

  init?(_ data: Data) {
    let bytes = [UInt8](data)
    guard bytes.count >= 20, bytes[..<4].elementsEqual("RGBA".utf8) else { return nil }
    numbers = (1...4).map { at in bytes[(4 * at)..<(4 * at + 4)].reduce(0) { $0 << 8 | Int($1) } }
    rgba = [UInt8](bytes[20...])
  }
}

public func CGImageSourceCreateWithData(_ data: CFData, _ options: CFDictionary?) -> CGImageSource? {
  CGImageSource(data)
}

public func CGImageSourceGetCount(_ source: CGImageSource) -> Int { source.numbers[3] }

public func CGImageSourceGetType(_ source: CGImageSource) -> CFString? { "public.png" }

public func CGImageSourceGetStatusAtIndex(_ source: CGImageSource, _ index: Int) -> CGImageSourceStatus {
  source.rgba.count == 4 * source.numbers[0] * source.numbers[1] ? .statusComplete : .statusIncomplete
}

public func CGImageSourceCopyPropertiesAtIndex(
  _ source: CGImageSource, _ index: Int, _ options: CFDictionary?
) -> CFDictionary? {
  ["width": source.numbers[0], "height": source.numbers[1], "orientation": source.numbers[2]]
}

public func CGImageSourceCreateImageAtIndex(
  _ source: CGImageSource, _ index: Int, _ options: CFDictionary?
) -> CGImage? {
  CGImage(width: source.numbers[0], height: source.numbers[1], rgba: source.rgba)
}
