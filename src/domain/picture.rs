//! A picture that a shop can show: decoded to prove it is one, without what it should not carry.
//!
//! What a file is, its bytes decide; names and `Content-Type` are not asked. JPEG, PNG and GIF are kept pixel for pixel (OpenCart's
//! resizer knows no other); what stands beside the pixels (EXIF with the place a photo was taken, comments, anything behind the end)
//! is cut out. Others are converted: to PNG if they are transparent, else to JPEG. A photo that says "turn me" is turned, since the
//! shop's resizer would show it lying.

use std::io::Cursor;

use image::{
    DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits,
    codecs::{jpeg::JpegEncoder, png::PngEncoder},
    metadata::Orientation,
};
use img_parts::{jpeg::Jpeg, png::Png};
use sha2::{Digest, Sha256};

/// Most pixels. Too low refuses honest photos; too high lets one small file unpack into all memory (4 bytes a pixel).
pub const MOST_PIXELS: u64 = 30_000_000;
/// Longest side. Beyond it the shop's own resizer gives up.
const LONGEST_SIDE: u32 = 12_000;
/// Memory that decoding one picture may take beyond its pixels.
const MOST_MEMORY: u64 = 256 * 1024 * 1024;
/// Quality of converted photos: no difference to the eye at about a third of the size of 100.
const QUALITY: u8 = 90;

/// What a picture is stored as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// JPEG.
    Jpeg,
    /// PNG.
    Png,
    /// GIF.
    Gif,
}

impl Kind {
    /// The ending of its name.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
            Self::Gif => "gif",
        }
    }

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Gif => "image/gif",
        }
    }
}

/// A picture that was decoded and cleaned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// What it is stored as.
    pub kind: Kind,
    /// The file.
    pub bytes: Vec<u8>,
    /// SHA-256 of the file, in hex: the same picture has the same one wherever it came from.
    pub hash: String,
}

/// Why something is no picture for a shop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// Of a type that we cannot read; its name, if known.
    Type(String),
    /// Too many pixels.
    TooManyPixels {
        /// Width.
        width: u32,
        /// Height.
        height: u32,
    },
    /// It cannot be decoded.
    Unreadable(String),
}

fn unreadable(error: ImageError) -> Unfit {
    Unfit::Unreadable(error.to_string())
}

/// Proves that these bytes are a picture, and makes of them what a shop can show. Works hard: not for an async thread.
pub fn check(bytes: Vec<u8>) -> Result<Picture, Unfit> {
    let reader = ImageReader::new(Cursor::new(&bytes)).with_guessed_format().map_err(|error| Unfit::Unreadable(error.to_string()))?;
    let format = reader.format().ok_or_else(|| Unfit::Type("unknown".into()))?;
    let kept = match format {
        ImageFormat::Jpeg => Some(Kind::Jpeg),
        ImageFormat::Png => Some(Kind::Png),
        ImageFormat::Gif => Some(Kind::Gif),
        ImageFormat::WebP | ImageFormat::Bmp => None,
        other => return Err(Unfit::Type(other.extensions_str().first().copied().unwrap_or("unknown").to_owned())),
    };
    let mut decoder = reader.into_decoder().map_err(unreadable)?;
    let (width, height) = decoder.dimensions();
    if width > LONGEST_SIDE || height > LONGEST_SIDE || u64::from(width) * u64::from(height) > MOST_PIXELS {
        return Err(Unfit::TooManyPixels { width, height });
    }
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_MEMORY);
    decoder.set_limits(limits).map_err(unreadable)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(unreadable)?;
    image.apply_orientation(orientation);
    let (kind, bytes) = match kept {
        Some(kind) if orientation == Orientation::NoTransforms => match cleaned(kind, &bytes)? {
            Some(clean) => (kind, clean),
            None => written(&image, kind)?,
        },
        Some(kind) => written(&image, kind)?,
        None if is_transparent(&image) => written(&image, Kind::Png)?,
        None => written(&image, Kind::Jpeg)?,
    };
    let hash = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Picture { kind, bytes, hash })
}

fn is_transparent(image: &DynamicImage) -> bool {
    image.color().has_alpha() && image.to_rgba8().pixels().any(|pixel| pixel.0.get(3).is_some_and(|alpha| *alpha < u8::MAX))
}

/// The pixels as a new file.
fn written(image: &DynamicImage, kind: Kind) -> Result<(Kind, Vec<u8>), Unfit> {
    let mut bytes = Vec::new();
    match kind {
        Kind::Jpeg => image.to_rgb8().write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, QUALITY)).map_err(unreadable)?,
        Kind::Png | Kind::Gif => image.write_with_encoder(PngEncoder::new(&mut bytes)).map_err(unreadable)?,
    }
    Ok((if kind == Kind::Gif { Kind::Png } else { kind }, bytes))
}

/// The file without what stands beside its pixels; `None` if its parts cannot be told apart, though it could be decoded.
fn cleaned(kind: Kind, bytes: &[u8]) -> Result<Option<Vec<u8>>, Unfit> {
    let bytes = bytes.to_vec();
    Ok(match kind {
        Kind::Jpeg => {
            let Ok(mut jpeg) = Jpeg::from_bytes(bytes.into()) else { return Ok(None) };
            // Kept: JFIF's head, colour profiles, and Adobe's note on how colours are stored; without them colours are wrong.
            jpeg.segments_mut().retain(|segment| match segment.marker() {
                0xe2 => segment.contents().starts_with(b"ICC_PROFILE"),
                0xe1..=0xed | 0xef | 0xfe => false,
                _ => true,
            });
            let scans = jpeg.segments().last().map_or(0, |last| last.len_with_entropy() - last.len());
            let mut clean = jpeg.encoder().bytes().to_vec();
            let from = clean.len().saturating_sub(scans);
            // Decoders paint the rest grey and say nothing.
            let end = clean.get(from..).and_then(end_of_scans).ok_or_else(|| Unfit::Unreadable("the file breaks off".into()))?;
            clean.truncate(from + end);
            Some(clean)
        }
        Kind::Png => {
            const KEPT: [&[u8; 4]; 11] =
                [b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"pHYs"];
            let Ok(mut png) = Png::from_bytes(bytes.into()) else { return Ok(None) };
            png.chunks_mut().retain(|chunk| KEPT.contains(&&chunk.kind()));
            Some(png.encoder().bytes().to_vec())
        }
        Kind::Gif => Some(bytes),
    })
}

/// Length of a JPEG's scans up to and with its end mark: whatever follows is no picture.
fn end_of_scans(data: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += data.get(at..)?.iter().position(|byte| *byte == 0xff)?;
        match data.get(at + 1)? {
            0xd9 => return Some(at + 2),
            // Fill bytes; stuffing, restarts.
            0xff => at += 1,
            0x00 | 0x01 | 0xd0..=0xd7 => at += 2,
            // Between two scans stand segments, whose content may look like an end mark.
            _ => at += 2 + usize::from(u16::from_be_bytes([*data.get(at + 2)?, *data.get(at + 3)?])),
        }
    }
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage, Rgba, RgbaImage};
    use img_parts::{ImageEXIF, jpeg::JpegSegment, png::PngChunk};

    use super::*;

    fn picture(width: u32, height: u32) -> DynamicImage {
        RgbImage::from_fn(width, height, |x, y| Rgb([x as u8, y as u8, (x * y) as u8])).into()
    }

    fn file(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn pixels(bytes: &[u8]) -> DynamicImage {
        image::load_from_memory(bytes).unwrap()
    }

    #[test]
    fn what_a_shop_can_show_is_kept_pixel_for_pixel_and_the_rest_converted() {
        let image = picture(40, 30);
        for (format, kind) in [(ImageFormat::Jpeg, Kind::Jpeg), (ImageFormat::Png, Kind::Png), (ImageFormat::Gif, Kind::Gif)] {
            let source = file(&image, format);
            let checked = check(source.clone()).unwrap();
            assert_eq!((checked.kind, pixels(&checked.bytes)), (kind, pixels(&source)));
            assert_eq!(check(checked.bytes.clone()).unwrap(), checked, "a clean file stays as it is");
        }
        for format in [ImageFormat::WebP, ImageFormat::Bmp] {
            assert_eq!(check(file(&image, format)).unwrap().kind, Kind::Jpeg, "{format:?}");
        }
        let glass: DynamicImage = RgbaImage::from_pixel(4, 4, Rgba([1, 2, 3, 100])).into();
        let checked = check(file(&glass, ImageFormat::WebP)).unwrap();
        assert_eq!((checked.kind, pixels(&checked.bytes).to_rgba8()), (Kind::Png, glass.to_rgba8()));
    }

    #[test]
    fn what_stands_beside_the_pixels_is_cut_out() {
        let source = file(&picture(40, 30), ImageFormat::Jpeg);
        let mut jpeg = Jpeg::from_bytes(source.clone().into()).unwrap();
        jpeg.set_exif(Some(b"II*\0\x08\0\0\0\0\0\0\0\0\0 41.311 N 69.240 E".to_vec().into()));
        jpeg.segments_mut().insert(1, JpegSegment::new_with_contents(0xfe, b"<?php echo 1;".to_vec().into()));
        let mut dirty = Vec::new();
        jpeg.encoder().write_to(&mut dirty).unwrap();
        dirty.extend_from_slice(b"<?php system('id');");
        let clean = check(dirty).unwrap();
        assert!(!clean.bytes.windows(5).any(|part| part == b"<?php") && !clean.bytes.windows(6).any(|part| part == b"41.311"));
        assert_eq!(clean, check(source).unwrap(), "the same picture has the same hash, whatever stood beside it");

        let source = file(&picture(40, 30), ImageFormat::Png);
        let mut png = Png::from_bytes(source.clone().into()).unwrap();
        png.chunks_mut().insert(1, PngChunk::new(*b"tEXt", b"Comment\0<?php echo 1;".to_vec().into()));
        let mut dirty = Vec::new();
        png.encoder().write_to(&mut dirty).unwrap();
        dirty.extend_from_slice(b"<?php system('id');");
        assert_eq!(check(dirty).unwrap(), check(source).unwrap());
    }

    #[test]
    fn a_photo_that_lies_on_its_side_is_turned() {
        let mut jpeg = Jpeg::from_bytes(file(&picture(40, 30), ImageFormat::Jpeg).into()).unwrap();
        // One entry: orientation (0x0112), a short, once, 6 = a quarter turn.
        let exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0".to_vec();
        jpeg.set_exif(Some(exif.into()));
        let mut lying = Vec::new();
        jpeg.encoder().write_to(&mut lying).unwrap();
        let upright = pixels(&check(lying).unwrap().bytes);
        assert_eq!((upright.width(), upright.height()), (30, 40));
    }

    #[test]
    fn what_is_no_picture_is_told_by_kind() {
        let good = file(&picture(400, 300), ImageFormat::Jpeg);
        assert!(matches!(check(good[..good.len() / 3].to_vec()), Err(Unfit::Unreadable(_))));
        let mut png = file(&picture(40, 30), ImageFormat::Png);
        png.truncate(60);
        assert!(matches!(check(png), Err(Unfit::Unreadable(_))));
        assert!(matches!(check(b"<html>404</html>".to_vec()), Err(Unfit::Type(_))));
        assert!(matches!(check(b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>".to_vec()), Err(Unfit::Type(_))));
        assert!(matches!(check(Vec::new()), Err(Unfit::Type(_))));
        assert_eq!(check(b"II*\0\x08\0\0\0\0\0\0\0".to_vec()), Err(Unfit::Type("tiff".into())));
    }

    #[test]
    fn a_bomb_is_refused_before_it_is_unpacked() {
        let white: DynamicImage = image::GrayImage::new(11_000, 11_000).into();
        let bomb = file(&white, ImageFormat::Png);
        assert!(bomb.len() < 1_000_000);
        assert_eq!(check(bomb), Err(Unfit::TooManyPixels { width: 11_000, height: 11_000 }));
    }
}
