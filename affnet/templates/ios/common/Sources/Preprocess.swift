// The pixel contract: from a decoded picture to the model's input.  Nothing here is Apple's.

/// A picture of 8 bits: red, green, blue and alpha, not multiplied by it; row by row.
public struct Picture: Sendable {
  public let width: Int
  public let height: Int
  public let rgba: [UInt8]

  public init(width: Int, height: Int, rgba: [UInt8]) {
    precondition(
      width > 0 && height > 0 && rgba.count == 4 * width * height,
      "\(rgba.count) bytes are not \(width) x \(height) pixels of 4.")
    self.width = width
    self.height = height
    self.rgba = rgba
  }

  /// The picture on white.
  var opaque: Pixels {
    var rgb: [UInt8] = []
    rgb.reserveCapacity(3 * width * height)
    for at in stride(from: 0, to: rgba.count, by: 4) {
      for channel in 0..<3 { rgb.append(onWhite(rgba[at + channel], rgba[at + 3])) }
    }
    return Pixels(width: width, height: height, rgb: rgb)
  }

  /// The picture turned upright, of EXIF's orientation, 1 to 8.
  func turned(_ orientation: Int) -> Picture {
    if !(2...8).contains(orientation) { return self }
    let swapped = orientation > 4
    let mirrored = [2, 3, 7, 8].contains(orientation)  // along the stored picture's x
    let flipped = [3, 4, 6, 7].contains(orientation)  // along its y
    var found: [UInt8] = []
    found.reserveCapacity(rgba.count)
    for y in 0..<(swapped ? width : height) {
      for x in 0..<(swapped ? height : width) {
        let (column, row) = swapped ? (y, x) : (x, y)
        let place = (flipped ? height - 1 - row : row) * width + (mirrored ? width - 1 - column : column)
        found += rgba[(4 * place)..<(4 * place + 4)]
      }
    }
    return Picture(width: swapped ? height : width, height: swapped ? width : height, rgba: found)
  }
}

/// As Pillow's alpha_composite.
private func onWhite(_ value: UInt8, _ alpha: UInt8) -> UInt8 {
  if alpha == 255 { return value }
  if alpha == 0 { return 255 }
  let sum = Int(value) * Int(alpha) * 128 + 255 * (255 - Int(alpha)) * 128 + (0x80 << 7)
  return UInt8((((sum >> 8) + sum) >> 8) >> 7)
}

/// Returns the pixels of the model's input.
func toPixels(_ picture: Picture) -> Pixels {
  var width = Contract.resizeWidth
  var height = Contract.resizeHeight
  if Contract.cover {
    let scale = max(
      Double(height) / Double(picture.height), Double(width) / Double(picture.width))
    width = max(Int((Double(picture.width) * scale).rounded(.toNearestOrEven)), width)
    height = max(Int((Double(picture.height) * scale).rounded(.toNearestOrEven)), height)
  }
  let part = Region(
    left: (width - Contract.cropWidth) / 2, top: (height - Contract.cropHeight) / 2,
    width: Contract.cropWidth, height: Contract.cropHeight)
  let kernel = Contract.bicubic ? Kernel.bicubic : Kernel.bilinear
  return resample(picture.opaque, width: width, height: height, part: part, kernel: kernel)
}

/// Returns pixels as a model of arrays takes them: channel by channel, with range, mean and scale.
func toTensor(_ pixels: Pixels) -> [Float] {
  let places = pixels.width * pixels.height
  var tensor: [Float] = []
  tensor.reserveCapacity(3 * places)
  for channel in 0..<3 {
    let values = (0..<256).map { pixel in
      let normal = (Float(pixel) / 255 - Contract.mean[channel]) / Contract.std[channel]
      return Contract.low + normal * (Contract.high - Contract.low)
    }
    for place in 0..<places { tensor.append(values[Int(pixels.rgb[3 * place + channel])]) }
  }
  return tensor
}

/// Returns probabilities of scores.
func softmax(_ scores: ArraySlice<Float>, exp: (Float) -> Float) -> [Float] {
  let largest = scores.max() ?? 0
  let exponentials = scores.map { exp($0 - largest) }
  let sum = exponentials.reduce(0, +)
  return exponentials.map { $0 / sum }
}
