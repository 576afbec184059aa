<?php

declare(strict_types=1);

namespace TradesyncTests\Service;

use Tradesync\Sellers\Customers;
use Tradesync\Sellers\Table;
use Tradesync\Sellers\Users;
use Tradesync\SettingsForm;
use Tradesync\Visitor;
use Tradesync\Words;
use TradesyncTests\Database;
use TradesyncTests\Php72;
use TradesyncTests\ServiceCase;
use TradesyncTests\Stack;

/** Who is a seller: the three adapters over real tables. */
final class SellersTest extends ServiceCase
{
    private const TABLE = [
        'table' => 'vendor', 'id_column' => 'vendor_id', 'name_column' => 'title', 'active_column' => 'works', 'active_value' => 'y',
        'login' => 'customer', 'login_column' => 'customer',
    ];

    public function testUsersOfTheGroupAreSellersAndNobodyElse(): void
    {
        $users = new Users($this->database(), 20);
        self::assertSame(['41', '42', '43'], array_column($users->find('', 0, 50), 'id'));
        self::assertSame(3, $users->count(''));
        self::assertSame('seller:41', $users->get('41')->owner);
        self::assertSame('Aziza O"z (aziza)', $users->get('41')->name, 'OpenCart stores names escaped');
        self::assertNull($users->get('1'), 'of another group');
        self::assertNull($users->get("41' OR 1=1 -- "));
        self::assertSame('41', $users->current(new Visitor(41, 20, 0, 0))->id);
        self::assertNull($users->current(new Visitor(41, 1, 0, 0)), 'the session says another group');
        self::assertNull($users->current(new Visitor(43, 20, 0, 0)), 'switched off');
        self::assertNull($users->current(new Visitor(0, 0, 41, 20)), 'a customer with the same number');
        self::assertNull((new Users($this->database(), 0))->current(new Visitor(41, 0, 0, 0)), 'no group is chosen yet');
    }

    public function testASearchIsAValueAndNeverSql(): void
    {
        $users = new Users($this->database(), 20);
        self::assertSame(['42'], array_column($users->find('botir', 0, 50), 'id'));
        self::assertSame(['42'], array_column($users->find('42', 0, 50), 'id'));
        self::assertSame([], $users->find('%', 0, 50), 'a percent sign is no wildcard');
        self::assertSame([], $users->find("' OR '1'='1", 0, 50));
        self::assertSame(['42'], array_column($users->find('', 1, 1), 'id'));
    }

    public function testCustomersOfTheGroupHaveOwnersOfTheirOwn(): void
    {
        $customers = new Customers($this->database(), 1);
        self::assertSame('seller-customer:41', $customers->get('41')->owner);
        self::assertSame('41', $customers->current(new Visitor(0, 0, 41, 1))->id);
        self::assertNull($customers->current(new Visitor(41, 1, 0, 0)), 'an admin user with the same number');
        self::assertNull($customers->current(new Visitor(0, 0, 43, 1)), 'switched off');
    }

    public function testRowsOfATableAreSellers(): void
    {
        $table = new Table($this->database(), self::TABLE);
        self::assertSame([], $table->faults());
        self::assertSame(4, $table->count(''));
        self::assertSame(['7'], array_column($table->find('sev', 0, 10), 'id'));
        self::assertSame('seller-row:7', $table->get('7')->owner);
        self::assertFalse($table->get('8')->active);
        self::assertSame('7', $table->current(new Visitor(0, 0, 41, 1))->id);
        self::assertNull($table->current(new Visitor(0, 0, 42, 1)), 'the seller does not work');
        self::assertNull($table->current(new Visitor(0, 0, 43, 1)), 'two sellers for one login are nobody');
        self::assertNull($table->current(new Visitor(41, 20, 0, 0)), 'sellers log in as customers here');
        $byUser = new Table($this->database(), ['login' => 'user'] + self::TABLE);
        self::assertSame('7', $byUser->current(new Visitor(41, 20, 0, 0))->id);
    }

    public function testNamesOfTablesAndColumnsAreCheckedBeforeTheyReachSql(): void
    {
        $faults = (new Table($this->database(), ['table' => 'vendor` x', 'id_column' => ''] + self::TABLE))->faults();
        self::assertSame(['table' => 'identifier', 'id_column' => 'identifier'], $faults);
        self::assertSame(['table' => 'missing'], (new Table($this->database(), ['table' => 'nobody'] + self::TABLE))->faults());
        self::assertSame(['name_column' => 'missing'], (new Table($this->database(), ['name_column' => 'nothing'] + self::TABLE))->faults());
        $this->expectException(\Tradesync\Problem::class);
        (new Table($this->database(), ['id_column' => 'a`b'] + self::TABLE))->find('', 0, 1);
    }

    /** The example of docs/opencart-bridge.md is the class that people copy: it works as it stands there. */
    public function testTheDocumentedExampleOfAnOwnAdapterWorks(): void
    {
        self::assertNull(self::settings()->own(), 'the package has none');
        self::assertSame(0, self::settings(['sellers' => 'own'])->sellers()->count(''), 'and while its file is missing, nobody is a seller');
        $file = dirname((new \ReflectionClass(Users::class))->getFileName()) . '/own.php';
        file_put_contents($file, '<?php this is no PHP');
        try {
            self::assertNull(self::settings()->own(), 'a mistake in the file takes no page down');
        } finally {
            unlink($file);
        }
        preg_match('/```php\n<\?php\n(.*?final class Own.*?)```/s', file_get_contents(Stack::root() . '/docs/opencart-bridge.md'), $example);
        self::assertSame([], Php72::canRead() ? Php72::faults("<?php\n" . $example[1]) : []);
        self::assertFalse(class_exists('Tradesync\\Sellers\\Own', false));
        eval($example[1]);
        $db = self::stack()->mysqli();
        $db->query('CREATE TABLE oc_mm_shop (shop_id INT PRIMARY KEY, title VARCHAR(60), closed TINYINT, customer_id INT)');
        $db->query("INSERT INTO oc_mm_shop VALUES (7, 'Seven 100%', 0, 41), (8, 'Eight', 1, 42), (9, 'Nine', 0, 43), (10, 'Twin', 0, 43)");
        $own = self::settings(['sellers' => 'own'])->sellers();
        self::assertSame(['8', '9'], array_column($own->find('', 0, 2), 'id'));
        self::assertSame([1, 4], [$own->count('100%'), $own->count('')]);
        self::assertSame('mm:7', $own->get('7')->owner);
        self::assertNull($own->get("7' OR '1"));
        self::assertSame('7', $own->current(new Visitor(0, 0, 41, 1))->id);
        self::assertNull($own->current(new Visitor(0, 0, 42, 1)), 'closed');
        self::assertNull($own->current(new Visitor(0, 0, 43, 1)), 'two shops of one customer');
        self::assertNull($own->current(new Visitor(41, 20, 0, 0)), 'an administrator');
        $form = new SettingsForm(self::settings(), $this->database());
        self::assertContains('own', $form->view(self::settings(), Words::all('en'))['sellers']);
        // The service keeps connections for owners of this kind.
        $settings = self::settings(['sellers' => 'own']);
        self::assertSame([], $settings->onBehalfOf($own->get('7'))->all('/connections', ['flow' => 'billz-opencart']));
    }

    private function database(): Database
    {
        return new Database(self::stack()->mysqli());
    }
}
