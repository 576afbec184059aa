<?php

declare(strict_types=1);

namespace TradesyncTests\Unit;

use PHPUnit\Framework\TestCase;
use Tradesync\Ocmod;

/** The OCMOD for the page of a marketplace module. That OpenCart takes it, and what it does there, the end-to-end test shows. */
final class OcmodTest extends TestCase
{
    public function testTheRouteDecidesWhichFilesAreChanged(): void
    {
        foreach (
            [
                'account/wishlist' => ['account/wishlist'],
                'account/customerpartner/productlist' => ['account/customerpartner/productlist', 'account/customerpartner'],
            ] as $route => $places
        ) {
            $ocmod = new \SimpleXMLElement(Ocmod::xml($route));
            self::assertSame('tradesync-page', (string)$ocmod->code);
            $paths = array_map('strval', $ocmod->xpath('file/@path'));
            self::assertSame([
                implode('|', array_map(function ($place) {
                    return 'catalog/controller/' . $place . '.php';
                }, $places)),
                implode('|', array_map(function ($place) {
                    return 'catalog/view/theme/*/template/' . $place . '.twig';
                }, $places)),
            ], $paths);
            self::assertCount(2, $ocmod->xpath('file/operation[@error="skip"]/search'));
        }
    }

    public function testThePackageHoldsNothingButTheModification(): void
    {
        $file = tempnam(sys_get_temp_dir(), 'ocmod');
        file_put_contents($file, Ocmod::package('account/wishlist'));
        $zip = new \ZipArchive();
        self::assertTrue($zip->open($file));
        self::assertSame([1, Ocmod::xml('account/wishlist')], [$zip->numFiles, $zip->getFromName('install.xml')]);
        $zip->close();
        unlink($file);
    }
}
